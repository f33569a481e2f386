import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const closeGivesBack: Behaviour = {
  name: "a reader that leaves gives back at once what it fetched and never lent",
  rule: "D8",
  async run(bench) {
    const pubsub = await bench.open();
    await bench.ensure(pubsub);
    const sent = Array.from({ length: 50 }, (_, index) => `m${String(index).padStart(2, "0")}`);
    await bench.publish(pubsub, ...sent);
    const first = await bench.read(pubsub, { messages: 1 });
    await first.sink.one();
    first.subscription.window(0, 0);
    for (const delivery of first.sink.seen) assert.equal(delivery.ack(), true);
    await bench.leave(first);
    const second = await bench.read(await bench.open());
    const lent = first.sink.seen.map((one) => Buffer.from(one.data).toString());
    assert.deepEqual(
      textsOf(await second.sink.next(sent.length - lent.length)),
      sent.filter((one) => !lent.includes(one)),
    );
  },
};
