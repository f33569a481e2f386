import type { Scenario } from "../scenario.ts";

export const sidecarStopped: Scenario = {
  name: "sidecar-stopped",
  title: "the sidecar gets SIGTERM under load and is restarted, twenty times: nothing fails, nothing comes twice",
  needs: ["durable"],
  // One failure would be enough for a dead letter.
  subscription: { retry: { maxFailures: 1 } },
  deadLetters: [],
  app: { kind: "succeeds", afterMs: 5 },
  async play(run) {
    run.load.start();
    for (let round = 0; round < 20; round++) {
      await run.acknowledgedMore(50);
      const failures = await run.counted("retried");
      if (failures !== 0) throw new Error(`expected no failure counted, found ${failures} before stop ${round + 1}`);
      await run.stop();
      await run.startAll();
    }
    await run.acknowledgedMore(50);
  },
};
