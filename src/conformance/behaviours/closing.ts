import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const closing: Behaviour = {
  name: "closing ends every reader, may be repeated, and nothing can be opened after it",
  rule: "D8",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.close(pubsub);
    await bench.close(pubsub);
    assert.equal(await bench.ends(reading.subscription.closed, "the reader"), undefined);
    await assert.rejects(pubsub.subscribe(bench.request(), bench.recorder()), { name: "PubSubError" });
    const [result] = await bench.tryToPublish(pubsub, ["a"]);
    assert.equal(result?.error?.outcome, "rejected");
  },
};
