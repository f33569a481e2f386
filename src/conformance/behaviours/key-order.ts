import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

const SENT = ["1", "2", "3", "4", "5"];

export const keyOrder: Behaviour = {
  name: "messages of a key come one after the other, in their order, also after one was given back or failed",
  rule: "D6",
  needs: ({ holdsKeys }) => holdsKeys,
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub, { order: "key" });
    await bench.publish(pubsub, ...SENT.map((data) => ({ data, key: "k" })));
    const first = await reading.sink.one();
    first.release();
    const second = await reading.sink.one();
    if (pubsub.capabilities.delayedRetry === "ordered") second.retry?.(50, 1);
    else second.release();
    for (let index = 0; index < SENT.length; index++) (await reading.sink.one()).ack();
    assert.deepEqual(reading.sink.seen.map(textOf), ["1", "1", ...SENT]);
  },
};
