import type { Finding } from "../../pubsub/pubsub.ts";
import type { Cluster } from "./cluster.ts";
import type { KafkaOptions } from "./config.ts";
import type { Connection } from "./connection.ts";
import { inspectTopics } from "./inspect-topics.ts";
import { describeConfigs } from "./wire/cluster-apis.ts";

const KEYS = [
  "auto.create.topics.enable",
  "default.replication.factor",
  "log.retention.hours",
  "log.retention.minutes",
  "log.retention.ms",
  "message.max.bytes",
  "min.insync.replicas",
  "offsets.retention.minutes",
  "unclean.leader.election.enable",
] as const;

const MINUTE_MS = 60_000;
const NOTHING_SAID = { error: 0, values: new Map<string, string>() };

/** What a broker's settings allow. Undefined: it does not say. */
interface Settings {
  readonly messageMaxBytes: number | undefined;
  /** Infinity: messages are kept for ever. */
  readonly retentionMs: number | undefined;
}

export interface Inspected {
  readonly findings: readonly Finding[];
  readonly settings: Settings;
}

/** Brokers that are asked at once: one that we cannot reach must not keep the answer of the others from us. */
const MOST_ASKED = 3;

/** A broker's settings are asked of itself. */
async function anyOf(cluster: Cluster): Promise<{ readonly name: number; readonly connection: Connection }> {
  const { brokers } = cluster;
  const first = Math.floor(cluster.ground.clock.random() * brokers.length);
  const some = [...brokers.slice(first), ...brokers.slice(0, first)].slice(0, MOST_ASKED);
  try {
    return await Promise.any(some.map(async (name) => ({ name, connection: await cluster.connection(name, "control") })));
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}

/** `waiting`: by topic, the age of the oldest message that one of our groups has not settled. */
export async function inspect(cluster: Cluster, waiting: ReadonlyMap<string, number>): Promise<Inspected> {
  await cluster.refresh();
  const { brokers, ground } = cluster;
  const { name, connection } = await anyOf(cluster);
  const asked = { kind: "broker", names: [String(name)], keys: KEYS } as const;
  const [{ error, values } = NOTHING_SAID] = await connection.call(describeConfigs, asked, ground.options.readTimeout);
  const findings: Finding[] = [...ofAcks(ground.options.producerRequiredAcks), ...ofPassword(ground.options)];
  if (error !== 0) findings.push(UNREADABLE);
  const number = (key: (typeof KEYS)[number]): number | undefined => (values.get(key) ? Number(values.get(key)) : undefined);
  const retentionMs = retention(number("log.retention.ms"), number("log.retention.minutes"), number("log.retention.hours"));
  const offsetsMs = (number("offsets.retention.minutes") ?? Number.POSITIVE_INFINITY) * MINUTE_MS;
  const factor = number("default.replication.factor");
  if (values.get("unclean.leader.election.enable") === "true") {
    findings.push({
      level: "warn",
      id: "kafka.unclean-leader-election",
      found:
        "unclean.leader.election.enable is true: a replica that lags may become the leader, and messages that were acknowledged are gone.",
      remedy: "Set it to false.",
    });
  }
  const { replicationFactor } = ground.options;
  if (replicationFactor === 1 || (factor === 1 && !replicationFactor)) {
    findings.push({
      level: "warn",
      id: "kafka.one-replica",
      found: `${replicationFactor === 1 ? "replicationFactor" : "default.replication.factor"} is 1 in a cluster of ${brokers.length}: a topic that is created so has one copy, which ends with its broker's disk.`,
      remedy: "Set replicationFactor of this component, or default.replication.factor, to 3, in a cluster of at least as many brokers.",
    });
  } else if (number("min.insync.replicas") === 1) {
    findings.push({
      level: "warn",
      id: "kafka.min-insync-replicas",
      found: "min.insync.replicas is 1: a publish may succeed while only the leader has the message, and be lost with it.",
      remedy: "Set min.insync.replicas to 2.",
    });
  }
  if (values.get("auto.create.topics.enable") === "true") {
    findings.push({
      level: "warn",
      id: "kafka.auto-create-topics",
      found: "auto.create.topics.enable is true: whoever asks for a topic makes it, with the broker's own number of partitions.",
      remedy: "Set it to false; this component creates topics by itself, with `partitions` and `replicationFactor`.",
    });
  }
  if (retentionMs !== undefined && offsetsMs < retentionMs) {
    findings.push({
      level: "warn",
      id: "kafka.offsets-retention",
      found: `offsets.retention.minutes is ${offsetsMs / MINUTE_MS}: a group whose readers are away for longer is forgotten, and begins where its subscription says.`,
      remedy: "Set it to at least the retention of the topics.",
    });
  }
  findings.push(...(await inspectTopics(cluster, connection, waiting, values, retentionMs)));
  return { findings, settings: { messageMaxBytes: number("message.max.bytes"), retentionMs } };
}

/** The first that is set wins; -1 means for ever. */
function retention(ms: number | undefined, minutes: number | undefined, hours: number | undefined): number | undefined {
  const found =
    ms ?? (minutes === undefined ? undefined : minutes * MINUTE_MS) ?? (hours === undefined ? undefined : hours * 60 * MINUTE_MS);
  return found !== undefined && found < 0 ? Number.POSITIVE_INFINITY : found;
}

function ofAcks(acks: string): readonly Finding[] {
  if (acks === "all" || acks === "-1") return [];
  return [
    {
      level: "refuse",
      id: "kafka.acks",
      found: `producerRequiredAcks is ${acks}: a publish would succeed before the replicas have the message.`,
      remedy: "Set producerRequiredAcks to all, or leave it out.",
    },
  ];
}

/** With SCRAM it does not travel. */
function ofPassword({ authType, saslMechanism, tls }: KafkaOptions): readonly Finding[] {
  if (authType !== "password" || saslMechanism !== "PLAIN" || tls) return [];
  return [
    {
      level: "warn",
      id: "kafka.plaintext-password",
      found: "saslMechanism is PLAIN without TLS: whoever is on the way to the brokers reads the password.",
      remedy: "Set enableTLS to true, not disableTls, and brokers to a listener of SASL_SSL; or saslMechanism to SCRAM-SHA-512.",
    },
  ];
}

const UNREADABLE: Finding = {
  level: "warn",
  id: "kafka.settings-unknown",
  found: "The brokers do not let us read their settings, so what they risk is not known.",
  remedy: "Allow DescribeConfigs on the cluster to the user of this component.",
};
