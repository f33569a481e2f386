import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const firstSettlement: Behaviour = {
  name: "the first settlement of a delivery wins",
  rule: "D2",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    const delivery = await reading.sink.one();
    assert.deepEqual([delivery.ack(), delivery.ack(), delivery.release(), delivery.retry?.(0, 1) ?? false], [true, false, false, false]);
    await bench.publish(pubsub, "last");
    assert.deepEqual(await bench.until(reading, "last"), []);
  },
};
