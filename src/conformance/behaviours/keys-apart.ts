import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const keysApart: Behaviour = {
  name: "a key that waits holds up no other, and no message without a key",
  rule: "D6",
  needs: ({ ordering, holdsKeys }) => ordering === "key" && holdsKeys,
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub, { order: "key" });
    const keyed = (key: string, ...texts: readonly string[]) => texts.map((data) => ({ data, key }));
    await bench.publish(pubsub, ...keyed("a", "a1", "a2"), ...keyed("b", "b1", "b2"), "x", "y");
    const first = await reading.sink.next(4);
    assert.deepEqual(textsOf(first), ["a1", "b1", "x", "y"]);
    first.find(({ key }) => key === "b")?.ack();
    assert.deepEqual(textsOf(await reading.sink.next(1)), ["b2"]);
    first.find(({ key }) => key === "a")?.ack();
    assert.deepEqual(textsOf(await reading.sink.next(1)), ["a2"]);
  },
};
