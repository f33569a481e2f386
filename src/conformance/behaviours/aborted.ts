import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const aborted: Behaviour = {
  name: "a publish that was given up before it began is certainly not there",
  rule: "D9",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    const [result] = await bench.tryToPublish(pubsub, ["a"], AbortSignal.abort());
    assert.equal(result?.error?.outcome, "rejected");
    await bench.publish(pubsub, "last");
    assert.deepEqual(await bench.until(reading, "last"), []);
  },
};
