import type { Scenario } from "../scenario.ts";
import { untilRight } from "../until.ts";

const EVERY = 10;
const COME_MS = 30_000;

const refused = (number: number): boolean => number % EVERY === 0;

export const deadLetters: Scenario = {
  name: "dead-letters",
  title: "every tenth message fails each time, and the sidecar is killed twice meanwhile: each of them is dead-lettered once",
  needs: ["durable"],
  app: { kind: "refuses", every: EVERY },
  subscription: { retry: { first: "100ms", maxFailures: 2 } },
  // What was never acknowledged may have been stored all the same.
  deadLetters: ({ acknowledged, deadLetters: found }) => [
    ...[...acknowledged.keys()].filter(refused),
    ...found.filter((number) => !acknowledged.has(number) && refused(number)),
  ],
  async play(run) {
    run.load.start();
    for (let round = 0; round < 2; round++) {
      await run.acknowledgedMore(200);
      await run.kill();
      await run.startAll();
    }
    await run.acknowledgedMore(100);
    await run.load.stop();
    await untilRight(() => (run.ledger.missing.length === 0 ? undefined : `${run.ledger.missing.length} have not arrived`), COME_MS);
  },
};
