import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const released: Behaviour = {
  name: "what was released comes again at once, and counts as no failure",
  rule: "D4",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    const first = await reading.sink.one();
    assert.equal(first.release(), true);
    const again = await reading.sink.one();
    assert.equal(textOf(again), "a");
    assert.equal(again.position, first.position);
    if (pubsub.capabilities.attempts === "exact") assert.equal(again.failures, 0);
    again.ack();
  },
};
