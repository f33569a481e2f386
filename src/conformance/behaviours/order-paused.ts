import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const orderPaused: Behaviour = {
  name: "an ordered reader that is paused and holds nothing leaves the group to another, and may have it again",
  rule: "D4",
  needs: ({ ordering, holdsKeys, orderedReplicas }) => ordering !== "none" && !holdsKeys && orderedReplicas === "one",
  async run(bench) {
    const pubsub = await bench.open();
    const first = await bench.read(pubsub, { order: "key" });
    await bench.publish(pubsub, { data: "1", key: "k" }, { data: "2", key: "k" });
    const lent = await first.sink.next(2);
    const second = await bench.read(await bench.open(), { order: "key" });
    first.subscription.window(0, 0);
    for (const delivery of [...lent].reverse()) delivery.release();
    assert.deepEqual((await second.sink.next(2)).map(textOf), ["1", "2"]);
    for (const delivery of second.sink.seen) delivery.ack();
    first.subscription.window(10, 1_000_000);
    await bench.leave(second);
    await bench.publish(pubsub, { data: "3", key: "k" });
    assert.equal(textOf(await first.sink.one()), "3");
  },
};
