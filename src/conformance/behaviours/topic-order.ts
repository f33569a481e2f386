import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const topicOrder: Behaviour = {
  name: "with the order of the topic, all its messages come one after the other, whatever their keys",
  rule: "D6",
  needs: ({ holdsKeys }) => holdsKeys,
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub, { order: "topic" });
    await bench.publish(pubsub, { data: "1", key: "a" }, { data: "2", key: "b" }, "3");
    const first = await reading.sink.one();
    first.release();
    for (let index = 0; index < 3; index++) (await reading.sink.one()).ack();
    assert.deepEqual(reading.sink.seen.map(textOf), ["1", "1", "2", "3"]);
  },
};
