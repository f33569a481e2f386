import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const starts: Behaviour = {
  name: "a new group begins at the position that it asks for",
  rule: "D16",
  needs: ({ replay, position, keepsWithoutGroup }) => replay && position && keepsWithoutGroup,
  async run(bench) {
    const pubsub = await bench.open();
    const [, second] = await bench.publish(pubsub, "a", "b", "c");
    const reading = await bench.read(pubsub, { start: { position: second ?? "" } });
    assert.deepEqual(textsOf(await reading.sink.next(2)), ["b", "c"]);
  },
};
