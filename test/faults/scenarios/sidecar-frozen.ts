import { setTimeout as passes } from "node:timers/promises";
import type { Scenario } from "../scenario.ts";

/** Twice what brokers/redis.ts gives a lease. */
export const TWO_LEASES_MS = 3_000;

export const sidecarFrozen: Scenario = {
  name: "sidecar-frozen",
  title: "the sidecar stands still for two leases, twice: what it had comes again, and counts as no failure",
  needs: ["durable"],
  // One failure would be enough for a dead letter.
  subscription: { retry: { maxFailures: 1 } },
  deadLetters: [],
  app: { kind: "succeeds", afterMs: 5 },
  async play(run) {
    run.load.start();
    for (let round = 0; round < 2; round++) {
      await run.acknowledgedMore(200);
      run.sidecar().freeze();
      run.cuts += 1;
      // Time is what this is about: its leases must run out, and it must not know.
      await passes(TWO_LEASES_MS);
      run.sidecar().thaw();
    }
    await run.acknowledgedMore(200);
  },
};
