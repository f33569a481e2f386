import type { BrokerPair } from "../broker.ts";
import { listed } from "../check.ts";
import type { Run } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { untilRight } from "../until.ts";

const TAKES_MS = 60_000;

function pairOf(run: Run): BrokerPair {
  if (!run.pair) throw new Error("the scenario has asked for no pair");
  return run.pair;
}

export const failover: readonly Scenario[] = [
  {
    name: "failover-safe",
    title: "the master ends after its replica was cut off: where a publish waits for the replica, nothing is lost",
    needs: ["failover"],
    pair: "safe",
    async play(run) {
      run.load.start();
      await run.acknowledgedMore(300);
      await pairOf(run).part();
      await run.refusedMore(16);
      run.cut();
      await pairOf(run).failOver();
      await run.acknowledgedMore(300, TAKES_MS);
    },
  },
  {
    name: "failover-unsafe",
    title: "the same where a publish does not wait: what only the master had is lost, and counted",
    byHand: true,
    needs: ["failover"],
    pair: "unsafe",
    // Slow, so that the master has messages that nobody has read.
    app: { kind: "succeeds", afterMs: 200 },
    async play(run) {
      const { ledger } = run;
      run.load.start();
      await run.acknowledgedMore(100);
      await run.load.stop();
      await pairOf(run).part();
      const stored = new Set(ledger.acknowledged.keys());
      run.load.start();
      await run.acknowledgedMore(500);
      await run.load.stop();
      // The replica does not know either what was settled since.
      run.cut(10);
      await pairOf(run).failOver();
      run.load.start();
      await run.acknowledgedMore(100, TAKES_MS);
      await run.load.stop();
      await untilRight(() => run.owed(), TAKES_MS);
      const lost = ledger.missing;
      if (lost.length === 0) throw new Error("expected that what only the master had is lost, found that nothing is");
      const wrongly = lost.filter((number) => stored.has(number));
      if (wrongly.length > 0) throw new Error(`expected nothing lost that the replica had, found ${listed(wrongly)}`);
      run.remarks.push(`${lost.length} lost with the master`);
      ledger.forgive();
    },
  },
];
