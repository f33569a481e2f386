import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const paused: Behaviour = {
  name: "a closed window lends nothing, and what waits comes when it opens",
  rule: "D4",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub, { messages: 0, bytes: 0 });
    // Another group's reader shows that the broker has had the time to lend.
    const other = await bench.read(pubsub, { group: "other" });
    await bench.publish(pubsub, "a", "b");
    await other.sink.next(2);
    assert.equal(reading.sink.seen.length, 0, "lent before the window was opened");
    reading.subscription.window(10, 1_000_000);
    assert.deepEqual(textsOf(await reading.sink.next(2)), ["a", "b"]);
    reading.subscription.window(0, 0);
    await bench.publish(pubsub, "c");
    await other.sink.next(1);
    assert.equal(reading.sink.seen.length, 2, "lent after the window was closed");
    reading.subscription.window(10, 1_000_000);
    assert.deepEqual(textsOf(await reading.sink.next(1)), ["c"]);
  },
};
