import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const claims: Behaviour = {
  name: "it has what it claims, and nothing that it does not claim",
  rule: "D2",
  async run(bench) {
    const pubsub = await bench.open();
    const { capabilities } = bench.harness;
    assert.deepEqual(pubsub.capabilities, capabilities, "the server allows something else than what is documented");
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    const [delivery] = await reading.sink.next(1);
    assert.ok(delivery);
    const found = {
      position: delivery.position !== undefined,
      delayedRetry: delivery.retry !== undefined,
      backlog: reading.subscription.backlog !== undefined,
      browse: pubsub.admin?.browse !== undefined,
      replay: pubsub.admin?.seek !== undefined,
    };
    const { position, delayedRetry, backlog, browse, replay } = capabilities;
    assert.deepEqual(found, { position, delayedRetry: delayedRetry !== "none", backlog, browse, replay });
  },
};
