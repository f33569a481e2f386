import type { Scenario } from "../scenario.ts";

export const brokerKilled: Scenario = {
  name: "broker-killed",
  title: "the broker is killed under load and restarted, three times",
  needs: ["server"],
  async play(run) {
    run.load.start();
    for (let round = 0; round < 3; round++) {
      await run.acknowledgedMore(200);
      await run.killServer();
      await run.server.restart();
    }
    await run.acknowledgedMore(200);
  },
};

export const brokerFrozen: Scenario = {
  name: "broker-frozen",
  title: "the broker stands still with its connections open, then goes on with what it was asked meanwhile",
  needs: ["server"],
  async play(run) {
    run.load.start();
    await run.acknowledgedMore(200);
    run.server.freeze();
    run.cut();
    await run.refusedMore(16);
    run.server.thaw();
    await run.acknowledgedMore(200);
  },
};
