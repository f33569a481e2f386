import type { Scenario } from "../scenario.ts";

const HOUR_MS = 3_600_000;

const messagesOf = (name: string, bytes: number, count: number): Scenario => ({
  name,
  title: `${count} messages of ${bytes} bytes, and the sidecar is killed once`,
  needs: ["durable"],
  byHand: true,
  bytes,
  arrivesWithinMs: HOUR_MS,
  async play(run) {
    run.load.start();
    await run.acknowledgedMore(count / 2, HOUR_MS);
    await run.kill();
    await run.startAll();
    await run.acknowledgedMore(count / 2, HOUR_MS);
  },
});

const manyTopics = (name: string, topics: number, more: Partial<Scenario>): Scenario => ({
  name,
  title: `${topics} topics, and the sidecar is killed once`,
  needs: ["durable"],
  byHand: true,
  topics,
  arrivesWithinMs: HOUR_MS,
  async play(run) {
    run.load.start();
    await run.acknowledgedMore(5 * topics, HOUR_MS);
    await run.kill();
    await run.startAll();
    await run.acknowledgedMore(5 * topics, HOUR_MS);
  },
  ...more,
});

export const large: readonly Scenario[] = [
  {
    name: "backlog",
    title: "a million messages are there before the app is",
    needs: ["durable"],
    byHand: true,
    app: "absent",
    delivery: { maxInFlight: 64, maxPending: 1_000 },
    arrivesWithinMs: HOUR_MS,
    async play(run) {
      run.load.start();
      await run.acknowledgedMore(1_000_000, HOUR_MS);
      await run.load.stop();
      await run.app.start();
    },
  },
  messagesOf("messages-64k", 65_536, 5_000),
  messagesOf("messages-4m", 4_000_000, 100),
  manyTopics("topics-1000", 1_000, {}),
  manyTopics("subscriptions-500", 500, {
    title: "500 declared subscriptions on two replicas, and one sidecar is killed once",
    needs: ["durable", "replicas"],
    replicas: 2,
    subscription: {},
  }),
];
