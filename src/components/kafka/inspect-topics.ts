import type { Finding } from "../../pubsub/pubsub.ts";
import type { Cluster } from "./cluster.ts";
import type { Connection } from "./connection.ts";
import { KAFKA } from "./errors.ts";
import { describeConfigs } from "./wire/cluster-apis.ts";

const KEYS = ["min.insync.replicas", "retention.ms", "unclean.leader.election.enable"] as const;
const MINUTE_MS = 60_000;

/**
 * What the topics risk that we read: their own settings stand above the brokers'. `waiting`: of each, how old the oldest message is that one of
 * our groups has not settled. `brokers`: what holds for topics that say nothing, and is told of already.
 */
export async function inspectTopics(
  cluster: Cluster,
  connection: Connection,
  waiting: ReadonlyMap<string, number>,
  brokers: ReadonlyMap<string, string>,
  retentionMs: number | undefined,
): Promise<readonly Finding[]> {
  if (waiting.size === 0) return [];
  const asked = { kind: "topic", names: [...waiting.keys()], keys: KEYS } as const;
  const described = await connection.call(describeConfigs, asked, cluster.ground.options.readTimeout);
  return described.flatMap(({ error, name, values }) => {
    // Of a topic that may not be looked at, the brokers' settings are believed.
    const says = error === KAFKA.none ? values : brokers;
    const own = (key: (typeof KEYS)[number], risky: string) => says.get(key) === risky && brokers.get(key) !== risky;
    const findings: Finding[] = [];
    const keptMs = says.has("retention.ms") ? Number(says.get("retention.ms")) : (retentionMs ?? Number.POSITIVE_INFINITY);
    const oldestMs = waiting.get(name) ?? 0;
    if (keptMs >= 0 && oldestMs > keptMs / 2) {
      findings.push({
        level: "warn",
        id: "kafka.retention",
        found: `A message of ${name} waits for ${Math.round(oldestMs / MINUTE_MS)} minutes, and the topic keeps messages for ${Math.round(keptMs / MINUTE_MS)}: it will be deleted unread.`,
        remedy: "See why its group does not read it, or raise the topic's retention.ms.",
      });
    }
    if (own("unclean.leader.election.enable", "true")) {
      findings.push({
        level: "warn",
        id: "kafka.unclean-leader-election",
        found: `unclean.leader.election.enable of ${name} is true: a replica that lags may become the leader, and messages that were acknowledged are gone.`,
        remedy: "Set it to false.",
      });
    }
    if (own("min.insync.replicas", "1")) {
      findings.push({
        level: "warn",
        id: "kafka.min-insync-replicas",
        found: `min.insync.replicas of ${name} is 1: a publish may succeed while only the leader has the message, and be lost with it.`,
        remedy: "Set min.insync.replicas to 2.",
      });
    }
    return findings;
  });
}
