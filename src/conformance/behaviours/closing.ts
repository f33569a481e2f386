import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { Recorder } from "../recorder.ts";

export const closing: Behaviour = {
  name: "closing ends every reader, may be repeated, and nothing can be opened after it",
  rule: "D8",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    const signal = AbortSignal.timeout(10_000);
    await pubsub.close(signal);
    await pubsub.close(signal);
    assert.equal(await reading.subscription.closed, undefined);
    await assert.rejects(pubsub.subscribe(bench.request(), new Recorder()), { name: "PubSubError" });
    const [result] = await bench.tryToPublish(pubsub, ["a"]);
    assert.equal(result?.error?.outcome, "rejected");
  },
};
