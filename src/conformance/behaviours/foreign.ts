import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const foreign: Behaviour = {
  name: "an entry that another program wrote is delivered, not skipped, and stalls nothing",
  rule: "D13",
  needs: (_, { foreign: can }) => can !== undefined,
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.harness.foreign?.(bench.topic);
    await bench.publish(pubsub, "last");
    const before = await bench.until(reading, "last");
    assert.equal(before.length, 1);
    assert.ok((before[0]?.data.length ?? 0) > 0);
    assert.equal(before[0]?.ack(), true);
  },
};
