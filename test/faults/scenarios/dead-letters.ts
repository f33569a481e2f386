import type { Ledger } from "../ledger.ts";
import { MOST_OWED, PUBLISHERS } from "../load.ts";
import { PUBSUB } from "../names.ts";
import type { Scenario } from "../scenario.ts";
import { untilRight } from "../until.ts";

const EVERY = 10;
const COMES_MS = 30_000;
const MESSAGES = 20;

const refused = (number: number): boolean => number % EVERY === 0;

/** What was never acknowledged may have been stored all the same. */
const allRefused = ({ acknowledged, deadLetters }: Ledger): readonly number[] => [
  ...[...acknowledged.keys()].filter(refused),
  ...deadLetters.filter((number) => !acknowledged.has(number) && refused(number)),
];

const killed: Scenario = {
  name: "dead-letters",
  title: "every tenth message fails each time, and the sidecar is killed twice meanwhile: each of them is dead-lettered once",
  needs: ["durable"],
  app: { kind: "refuses", every: EVERY },
  subscription: { retry: { first: "100ms", maxFailures: 2 } },
  deadLetters: allRefused,
  async play(run) {
    run.load.start();
    for (let round = 0; round < 2; round++) {
      await run.acknowledgedMore(200);
      await run.kill();
      await run.startAll();
    }
    await run.acknowledgedMore(100);
    await run.load.stop();
    await run.arrived();
  },
};

const notWritten: Scenario = {
  name: "dead-letters-refused",
  title: "the broker refuses dead letters: they stay where they are, over a kill too, the others arrive, and they go once it takes them",
  needs: ["durable", "refuses"],
  app: { kind: "refuses", every: EVERY },
  // What cannot be dead-lettered keeps its place in the window, and a full one lets nothing arrive.
  delivery: { maxPending: MOST_OWED + PUBLISHERS },
  subscription: { retry: { first: "100ms", maxFailures: 2 } },
  deadLetters: allRefused,
  async play(run) {
    const trouble = async () => {
      const reason = (await run.sidecar().shown(PUBSUB, run.topic))?.reason;
      return reason?.startsWith("a dead letter cannot be written to") ? undefined : `expected health to tell of it, found ${reason}`;
    };
    await run.server.refuseAllBut?.(run.topics);
    run.load.start();
    await run.acknowledgedMore(200);
    await untilRight(trouble, COMES_MS);
    await run.kill();
    await run.startAll();
    await run.acknowledgedMore(200);
    await run.load.stop();
    await run.arrived(refused);
    await untilRight(trouble, COMES_MS);
    if (run.ledger.deadLetters.length > 0) throw new Error(`expected no dead letter yet, found ${run.ledger.deadLetters.length}`);
    await run.server.accept?.();
    await run.arrived();
  },
};

const cut: Scenario = {
  name: "dead-letters-cut",
  title: "the broker has the dead letters, its replies are swallowed, and the sidecar is killed before it can know",
  needs: ["durable", "server"],
  app: { kind: "refuses", every: 1 },
  subscription: { retry: { maxFailures: 1 } },
  deadLetters: ({ acknowledged }) => [...acknowledged.keys()],
  async play(run) {
    // What the sidecar says to the broker for the first time takes several replies.
    await run.load.publishOne();
    await run.arrived();
    await run.app.kill();
    await run.app.start({ kind: "refuses", every: 1, whenTold: true });
    for (let message = 0; message < MESSAGES; message++) await run.load.publishOne();
    await untilRight(() => (run.app.running.length === MESSAGES ? undefined : `the app has ${run.app.running.length} calls`), COMES_MS);
    await run.link.add({ type: "timeout", stream: "downstream", attributes: { timeout: 0 } });
    run.app.tell();
    await untilRight(async () => {
      const { pending = 0, lag = 0 } = (await run.owedOf(run.deadLetterTopic)) ?? {};
      return pending + lag > 0 ? undefined : "expected a dead letter at the broker, found none";
    }, COMES_MS);
    await run.kill();
    await run.link.heal();
    await run.startAll();
    await run.arrived();
  },
};

export const deadLetters: readonly Scenario[] = [killed, notWritten, cut];
