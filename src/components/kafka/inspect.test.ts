import { expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Cluster } from "./cluster.ts";
import { kafkaOptions } from "./config.ts";
import { inspect } from "./inspect.ts";

const DAY_MS = 86_400_000;

/** A cluster of three of which only some can be reached. */
function clusterOf(reachable: readonly number[], asked: string[] = [], topics: Record<string, Record<string, string>> = {}): Cluster {
  const brokers = { "message.max.bytes": "1000", "log.retention.ms": String(7 * DAY_MS), "min.insync.replicas": "2" };
  const connection = (broker: number) => ({
    call: (_: unknown, { kind, names }: { readonly kind: string; readonly names: readonly string[] }) => {
      asked.push(`${broker} of ${names}`);
      const said = (name: string) => Object.entries(kind === "broker" ? brokers : (topics[name] ?? {}));
      return Promise.resolve(
        names.map((name) => ({ error: kind === "broker" || topics[name] ? 0 : 29, name, values: new Map(said(name)) })),
      );
    },
  });
  return {
    refresh: () => Promise.resolve(),
    brokers: [1, 2, 3],
    connection: (broker: number) =>
      reachable.includes(broker)
        ? Promise.resolve(connection(broker))
        : Promise.reject(new PubSubError("unavailable", `broker ${broker} is away`)),
    ground: { options: kafkaOptions.parse({ brokers: "h" }), clock: new SteppedClock() },
  } as unknown as Cluster;
}

test("any broker that can be reached tells its settings, whichever the cluster names first", async () => {
  for (const broker of [1, 2, 3]) {
    const asked: string[] = [];
    const { settings } = await inspect(clusterOf([broker], asked), new Map());
    expect([settings.messageMaxBytes, asked]).toEqual([1_000, [`${broker} of ${broker}`]]);
  }
  await expect(inspect(clusterOf([]), new Map())).rejects.toMatchObject({ code: "unavailable" });
});

test("a topic's own settings stand above the brokers'", async () => {
  const topics = {
    short: { "retention.ms": String(DAY_MS), "min.insync.replicas": "1", "unclean.leader.election.enable": "true" },
    long: { "retention.ms": String(30 * DAY_MS), "min.insync.replicas": "2", "unclean.leader.election.enable": "false" },
    ever: { "retention.ms": "-1" },
  };
  // What waits in `unseen` may not be looked at.
  const waiting = new Map(["short", "long", "ever", "unseen"].map((topic) => [topic, 4 * DAY_MS]));
  const { findings } = await inspect(clusterOf([1], [], topics), waiting);
  expect(findings.filter(({ id }) => id !== "kafka.one-replica").map(({ id, found }) => `${id}: ${found.slice(0, 40)}`)).toEqual([
    "kafka.retention: A message of short waits for 5760 minute",
    "kafka.unclean-leader-election: unclean.leader.election.enable of short ",
    "kafka.min-insync-replicas: min.insync.replicas of short is 1: a pub",
    "kafka.retention: A message of unseen waits for 5760 minut",
  ]);
});
