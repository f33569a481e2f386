import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const leavingSettles: Behaviour = {
  name: "a reader that leaves leaves no settlement behind",
  rule: "D8",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a", "b", "c");
    for (const delivery of await reading.sink.next(3)) delivery.ack();
    await bench.leave(reading);
    const next = await bench.read(await bench.open());
    await bench.publish(pubsub, "last");
    assert.deepEqual(await bench.until(next, "last"), []);
  },
};
