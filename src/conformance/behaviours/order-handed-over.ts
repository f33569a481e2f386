import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

/** So many that two readers that shared them would both have got some. */
const SHARED = Array.from({ length: 30 }, (_, index) => `shared${index}`);
const LEFT = ["1", "2", "3", "4", "5"];

export const orderHandedOver: Behaviour = {
  name: "an ordered group has one reader at a time, and the next begins with what that one leaves unsettled",
  rule: "D6",
  needs: ({ ordering, holdsKeys, orderedReplicas }) => ordering !== "none" && !holdsKeys && orderedReplicas === "one",
  async run(bench) {
    const pubsub = await bench.open();
    const first = await bench.read(pubsub, { order: "key" });
    await bench.publish(pubsub, { data: "begin", key: "k" });
    (await first.sink.one()).ack();
    const second = await bench.read(await bench.open(), { order: "key" });
    for (const data of SHARED) {
      await bench.publish(pubsub, { data, key: "k" });
      const delivery = await first.sink.one();
      assert.equal(textOf(delivery), data);
      delivery.ack();
    }
    assert.deepEqual(second.sink.seen, []);
    await bench.publish(pubsub, ...LEFT.map((data) => ({ data, key: "k" })));
    const [done, ...open] = await first.sink.next(LEFT.length);
    done?.ack();
    first.subscription.window(0, 0);
    for (const delivery of open.reverse()) delivery.release();
    await bench.leave(first);
    await bench.publish(pubsub, { data: "6", key: "k" });
    assert.deepEqual((await second.sink.next(LEFT.length)).map(textOf), [...LEFT.slice(1), "6"]);
  },
};
