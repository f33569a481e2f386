import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const lateGroup: Behaviour = {
  name: "a group that is made after a publish gets it, from the earliest",
  rule: "D16",
  needs: ({ keepsWithoutGroup }) => keepsWithoutGroup,
  async run(bench) {
    const pubsub = await bench.open();
    await bench.publish(pubsub, "a", "b");
    const reading = await bench.read(pubsub);
    assert.deepEqual(textsOf(await reading.sink.next(2)), ["a", "b"]);
  },
};
