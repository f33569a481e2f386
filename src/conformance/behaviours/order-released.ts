import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

const SENT = ["1", "2", "3", "4", "5"];

export const orderReleased: Behaviour = {
  name: "in an ordered group, what was released comes again before what came after it",
  rule: "D6",
  needs: ({ ordering, holdsKeys }) => ordering !== "none" && !holdsKeys,
  async run(bench) {
    const pubsub = await bench.open();
    await pubsub.ensure(bench.topic, [bench.request({ order: "key" })], bench.patience);
    await bench.publish(pubsub, ...SENT.map((data) => ({ data, key: "k" })));
    const reading = await bench.read(pubsub, { order: "key", messages: 3 });
    const lent = await reading.sink.next(3);
    for (const delivery of [...lent].reverse()) delivery.release();
    for (let index = 0; index < SENT.length; index++) (await reading.sink.one()).ack();
    assert.deepEqual(reading.sink.seen.map(textOf), ["1", "2", "3", ...SENT]);
  },
};
