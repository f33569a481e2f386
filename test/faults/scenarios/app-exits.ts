import type { Scenario } from "../scenario.ts";
import { untilRight } from "../until.ts";

const DEADLY = 60;
/** It is with others when the app dies first, then alone three times. */
const MOST_DEATHS = 10;
const COMES_MS = 30_000;

export const appExits: Scenario = {
  name: "app-exits",
  title: "the message on which the app exits is dead-lettered, the others arrive",
  needs: [],
  app: { kind: "exits", on: DEADLY },
  subscription: { retry: { maxFailures: 1 } },
  deadLetters: [DEADLY],
  async play(run) {
    run.load.start();
    await run.acknowledgedMore(200);
    await run.load.stop();
    const { deadLetters } = run.ledger;
    const came = () => deadLetters.length > 0;
    for (let deaths = 0; !came(); deaths++) {
      if (deaths === MOST_DEATHS) throw new Error(`expected a dead letter, found none after ${deaths} deaths of the app`);
      await untilRight(
        () => (came() || !run.app.alive ? undefined : "expected a death of the app or a dead letter, found neither"),
        COMES_MS,
      );
      if (came()) break;
      run.cuts += 1;
      await run.app.start({ kind: "exits", on: DEADLY });
    }
  },
};
