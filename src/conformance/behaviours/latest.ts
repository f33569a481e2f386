import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const latest: Behaviour = {
  name: "a group that begins at the latest gets only what comes after it",
  rule: "D16",
  async run(bench) {
    const pubsub = await bench.open();
    // Where nothing is kept without a group, it is refused instead.
    const [before] = await bench.tryToPublish(pubsub, ["before"]);
    assert.equal(before?.error?.code, pubsub.capabilities.keepsWithoutGroup ? undefined : "failed_precondition");
    const reading = await bench.read(pubsub, { start: "latest" });
    await bench.publish(pubsub, "after");
    assert.equal(textOf(await reading.sink.one()), "after");
  },
};
