import { setTimeout as passes } from "node:timers/promises";
import type { Scenario } from "../scenario.ts";
import { TWO_LEASES_MS } from "./sidecar-frozen.ts";

export const replicas: Scenario = {
  name: "replicas",
  title: "of three replicas one is killed, and one stands still for two leases",
  needs: ["durable", "replicas"],
  replicas: 3,
  app: { kind: "succeeds", afterMs: 5 },
  async play(run) {
    run.load.start();
    await run.acknowledgedMore(300);
    run.sidecar(1).freeze();
    run.cuts += 1;
    await run.kill(0);
    // Time is what this is about: the others must think it dead, and it must not know.
    await passes(TWO_LEASES_MS);
    run.sidecar(1).thaw();
    await run.acknowledgedMore(300);
  },
};
