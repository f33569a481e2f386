import type { Run } from "../run.ts";
import type { Scenario } from "../scenario.ts";

const FAILING_KEYS = 100;
const OF_EACH = 3;
const OTHERS = 1_500;

export const order: readonly Scenario[] = [
  {
    name: "order-errors",
    title: "a key's messages stay in order though every tenth fails once",
    needs: ["ordered"],
    ordered: true,
    subscription: { order: "key" },
    app: { kind: "errors", every: 10 },
    async play(run) {
      run.load.start();
      await run.acknowledgedMore(300);
    },
  },
  {
    name: "order-killed",
    title: "a key's messages stay in order while the sidecar is killed and restarted, three times",
    needs: ["ordered", "durable"],
    ordered: true,
    subscription: { order: "key" },
    // Slower than the publishers, so that every key has a queue.
    app: { kind: "succeeds", afterMs: 20 },
    async play(run) {
      run.load.start();
      for (let round = 0; round < 3; round++) {
        await run.acknowledgedMore(200);
        await run.deliveredMore(50);
        await run.kill();
        await run.startAll();
      }
    },
  },
  {
    name: "order-replicas",
    title: "a key's messages stay in order while each of three replicas is killed and comes back",
    needs: ["ordered", "durable", "replicas"],
    replicas: 3,
    ordered: true,
    subscription: { order: "key" },
    app: { kind: "succeeds", afterMs: 20 },
    async play(run) {
      run.load.start();
      for (const replica of [0, 1, 2]) {
        await run.acknowledgedMore(200);
        await run.deliveredMore(50);
        await run.kill(replica);
        await run.deliveredMore(50);
        await run.startAll();
      }
    },
  },
  {
    name: "order-failing-keys",
    title: "a hundred keys fail for ever: the messages of the others arrive as fast as before",
    needs: ["ordered"],
    ordered: true,
    subscription: { order: "key" },
    delivery: { maxInFlight: 64, maxPending: 1_000, retry: { first: "200ms", most: "1s" } },
    app: { kind: "refuses-keys", prefix: "failing" },
    async play(run) {
      run.load.start();
      // Once the programs are warm.
      await p99OfOthers(run);
      const before = await p99OfOthers(run);
      for (let message = 0; message < FAILING_KEYS * OF_EACH; message++) await run.load.publishOne(`failing${message % FAILING_KEYS}`);
      const meanwhile = await p99OfOthers(run);
      await run.load.stop();
      await run.arrived((number) => run.ledger.acknowledged.get(number)?.startsWith("failing") === true);
      run.remarks.push(`p99 of the others ${before} ms before, ${meanwhile} ms meanwhile`);
      await run.app.kill();
      run.cuts += 1;
      await run.app.start({ kind: "succeeds" });
      await run.arrived();
    },
  },
];

async function p99OfOthers(run: Run): Promise<number | undefined> {
  const { deliveries } = run.ledger;
  const start = deliveries.length;
  await run.acknowledgedMore(OTHERS);
  const others = deliveries.slice(start).filter(({ key }) => key?.startsWith("failing") === false);
  return run.ledger.latencies(others).at(Math.floor(others.length * 0.99));
}
