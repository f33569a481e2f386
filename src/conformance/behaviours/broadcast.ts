import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import type { Behaviour } from "../harness.ts";

const EXPIRES_AFTER_MS = 100;

export const broadcast: Behaviour = {
  name: "a broadcast replica's group is there while it reads, and goes after it",
  rule: "D16",
  needs: (capabilities) => capabilities.broadcast,
  async run(bench) {
    const pubsub = await bench.open();
    const groups = () => pubsub.admin?.groups?.(bench.topic);
    const reading = await bench.read(pubsub, { expiresAfterMs: EXPIRES_AFTER_MS });
    // Time itself is what this is about: it is not dropped under its reader.
    await wait(3 * EXPIRES_AFTER_MS);
    assert.equal((await groups())?.length, 1);
    await bench.leave(reading);
    const late = AbortSignal.timeout(10_000);
    while ((await groups())?.length !== 0) await wait(EXPIRES_AFTER_MS / 4, undefined, { signal: late });
  },
};
