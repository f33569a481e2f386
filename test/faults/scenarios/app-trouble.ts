import type { AppConduct } from "../app-conduct.ts";
import { PUBSUB } from "../names.ts";
import { type Run, WINDOW } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { untilRight } from "../until.ts";

async function failures(run: Run, expected: number): Promise<void> {
  const found = await run.counted("retried");
  if (found !== expected) throw new Error(`expected ${expected} failures counted, found ${found}`);
}

/** Every tenth message fails once: that many failures are counted, and no more. */
function failing(name: string, title: string, app: AppConduct): Scenario {
  return {
    name,
    title,
    needs: [],
    app,
    async play(run) {
      run.load.start();
      await run.acknowledgedMore(300);
      await run.load.stop();
      await run.arrived();
      const failed = run.ledger.deliveries.filter(({ result }) => result === "failed").length;
      if (failed < 30) throw new Error(`expected at least 30 failures by the app, found ${failed}`);
      await failures(run, failed);
    },
  };
}

export const appTrouble: readonly Scenario[] = [
  {
    name: "app-killed",
    title: "the app is killed in the middle of calls and restarted, twice: no failure is counted",
    needs: [],
    // One failure would be enough for a dead letter.
    subscription: { retry: { maxFailures: 1 } },
    deadLetters: [],
    app: { kind: "succeeds", afterMs: 50 },
    async play(run) {
      run.load.start();
      for (let round = 0; round < 2; round++) {
        await run.acknowledgedMore(100);
        await run.killApp();
        await run.app.start({ kind: "succeeds" });
        await run.deliveredMore(100);
      }
      await run.load.stop();
      await failures(run, 0);
    },
  },
  {
    name: "app-hangs",
    title: "the app never answers one call: it counts as failed after processingTimeout, and the others go on meanwhile",
    needs: [],
    app: { kind: "hangs", on: 50 },
    delivery: { processingTimeout: "1s" },
    async play(run) {
      run.load.start();
      await run.acknowledgedMore(300);
      await run.load.stop();
      const others = () => run.ledger.missing.filter((number) => number !== 50).length;
      await untilRight(() => (others() === 0 ? undefined : `${others()} others have not arrived`), 30_000);
      await untilRight(() => (run.ledger.missing.length === 0 ? undefined : "the one that hung did not come again"), 30_000);
      await failures(run, 1);
    },
  },
  failing("app-errors", "the app answers every tenth message with an error, once", { kind: "errors", every: 10 }),
  failing("app-garbage", "the app answers every tenth message with bytes that are no answer, once", { kind: "garbage", every: 10 }),
  {
    name: "app-slow",
    title: "the app takes longer than a lease for each message: none comes twice, and no failure is counted",
    // Only a broker that is apart has leases that run out.
    needs: ["server"],
    app: { kind: "succeeds", afterMs: 4_000 },
    async play(run) {
      for (let message = 0; message < 40; message++) await run.load.publishOne();
      await run.arrived();
      await failures(run, 0);
    },
  },
  {
    name: "all-fail",
    title: "everything fails for a while: no more is held than the window allows, and all arrives once the app works",
    needs: [],
    app: { kind: "refuses", every: 1 },
    delivery: { retry: { first: "200ms", most: "1s" } },
    async play(run) {
      run.load.start();
      let most = 0;
      await untilRight(async () => {
        for (const { pending } of (await run.sidecar().subscriptions(PUBSUB)).values()) most = Math.max(most, pending);
        const retried = await run.counted("retried");
        return retried >= 500 ? undefined : `expected 500 failures, found ${retried}`;
      }, 30_000);
      if (most > WINDOW) throw new Error(`expected at most ${WINDOW} messages held, found ${most}`);
      await run.load.stop();
      await run.app.kill();
      run.cuts += 1;
      await run.app.start({ kind: "succeeds" });
    },
  },
  {
    name: "app-publishes",
    title: "the handler publishes while it handles",
    needs: [],
    app: { kind: "publishes" },
    async play(run) {
      run.load.start();
      await run.acknowledgedMore(600);
      await run.load.stop();
    },
  },
];
