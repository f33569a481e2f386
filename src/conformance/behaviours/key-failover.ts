import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const keyFailover: Behaviour = {
  name: "a key's order holds over all readers, and when one of them dies",
  rule: "D6",
  needs: ({ holdsKeys, orderedReplicas }) => holdsKeys && orderedReplicas === "many",
  async run(bench) {
    const [dying, other] = [await bench.open(), await bench.open()];
    const both = bench.recorder();
    await bench.read(dying, { order: "key" }, both);
    const before = Array.from({ length: 10 }, (_, index) => `before${index}`);
    await bench.publish(other, ...before.map((data) => ({ data, key: "k" })));
    const held = await both.one();
    await bench.read(other, { order: "key" }, both);
    await bench.crash(dying);
    assert.equal(textOf(held), "before0");
    for (let index = 0; index < before.length; index++) (await both.one()).ack();
    assert.deepEqual(both.seen.map(textOf), ["before0", ...before]);
  },
};
