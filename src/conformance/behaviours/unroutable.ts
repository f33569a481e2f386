import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const unroutable: Behaviour = {
  name: "where nothing is kept without a group, a publish that no group would get is refused for good",
  rule: "D16",
  needs: ({ keepsWithoutGroup }) => !keepsWithoutGroup,
  async run(bench) {
    const pubsub = await bench.open();
    const [nobody] = await bench.tryToPublish(pubsub, ["a"]);
    const { code, outcome, permanent } = nobody?.error ?? {};
    assert.deepEqual([code, outcome, permanent], ["failed_precondition", "rejected", true]);
    await bench.ensure(pubsub);
    const [ours] = await bench.tryToPublish(pubsub, ["b"]);
    assert.equal(ours?.error, undefined);
  },
};
