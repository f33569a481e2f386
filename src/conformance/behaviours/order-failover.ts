import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

const SENT = ["1", "2", "3", "4", "5"];

export const orderFailover: Behaviour = {
  name: "when the reader of an ordered group dies, the next begins with what was unsettled, in order, before what is new",
  rule: "D6",
  needs: ({ ordering, holdsKeys }) => ordering !== "none" && !holdsKeys,
  async run(bench) {
    const dying = await bench.open();
    await dying.ensure(bench.topic, [bench.request({ order: "key" })], bench.patience);
    await bench.publish(dying, ...SENT.map((data) => ({ data, key: "k" })));
    const first = await bench.read(dying, { order: "key", messages: 4 });
    const [, second] = await first.sink.next(4);
    second?.ack();
    await bench.flush(first);
    await bench.crash(dying);
    const pubsub = await bench.open();
    await bench.publish(pubsub, { data: "6", key: "k" });
    const next = await bench.read(pubsub, { order: "key" });
    assert.deepEqual((await next.sink.next(5)).map(textOf), ["1", "3", "4", "5", "6"]);
  },
};
