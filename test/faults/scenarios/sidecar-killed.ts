import type { Scenario } from "../scenario.ts";

export const sidecarKilled: Scenario = {
  name: "sidecar-killed",
  title: "the sidecar is killed under load and restarted, three times",
  needs: ["durable"],
  // So that it has calls under way when it is killed.
  app: { kind: "succeeds", afterMs: 5 },
  async play(run) {
    run.load.start();
    for (let round = 0; round < 3; round++) {
      await run.acknowledgedMore(300);
      await run.kill();
      await run.startAll();
    }
    await run.acknowledgedMore(300);
  },
};

export const podKilled: Scenario = {
  name: "pod-killed",
  title: "sidecar and app are killed at once, in the middle of calls, and restarted, twice",
  needs: ["durable"],
  app: { kind: "succeeds", afterMs: 50 },
  async play(run) {
    run.load.start();
    for (let round = 0; round < 2; round++) {
      await run.acknowledgedMore(200);
      await run.killPod();
      await run.app.start({ kind: "succeeds", afterMs: 50 });
      await run.startAll();
    }
    await run.load.stop();
  },
};
