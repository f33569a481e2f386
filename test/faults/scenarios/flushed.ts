import type { Scenario } from "../scenario.ts";

export const flushed: Scenario = {
  name: "flushed",
  title: "the broker forgets everything under load: reading goes on, and all that is published afterwards arrives",
  needs: ["server", "wipe"],
  async play(run) {
    run.load.start();
    await run.acknowledgedMore(300);
    await run.server.wipe?.();
    run.ledger.forgive();
    run.cut();
    await run.acknowledgedMore(300);
  },
};
