import type { Admin, GroupInfo, Stored } from "../../pubsub/admin.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { readSubscription } from "./assignor.ts";
import type { Cluster, Topic } from "./cluster.ts";
import { AnsweredError, ensureNone, KAFKA, numberOf } from "./errors.ts";
import { commitAlone } from "./group.ts";
import { committedOf, offsetsAt, offsetsOf, parsePosition, recordsAt } from "./offsets.ts";
import { positionOf } from "./publish.ts";
import { deleteGroups, describeGroup, listGroups, offsetDelete, offsetFetch } from "./wire/group-apis.ts";
import { EARLIEST } from "./wire/log-apis.ts";
import type { StoredRecord } from "./wire/record-batch.ts";

/** Bytes of one fetch of `browse`. */
const PAGE_BYTES = 262_144;

/** `lent`: how many messages of a group our own readers have. */
export function adminOf(
  cluster: Cluster,
  lent: (topic: string, group: string) => number,
  shown: (record: StoredRecord) => StoredRecord,
): Admin {
  return {
    async topics(pattern) {
      const glob = new RegExp(`^${pattern.split("*").map(quoted).join(".*")}$`, "s");
      return (await cluster.topics()).map(({ name }) => name).filter((name) => glob.test(name));
    },
    async groups(name) {
      const topic = await orNone(cluster.topic(name));
      if (!topic) return [];
      const found: GroupInfo[] = [];
      for (const group of await allGroups(cluster)) {
        const consumers = await readers(cluster, group, name);
        const stands = await committedOf(cluster, group, topic);
        if (consumers > 0 || stands.size > 0) found.push({ group, consumers, pending: lent(name, group) });
      }
      return found;
    },
    async deleteGroup(name, group) {
      const missing = new PubSubError("not_found", `there is no group ${group} on the topic ${name}`, { permanent: true });
      const topic = await orNone(cluster.topic(name));
      if (!topic || (await committedOf(cluster, group, topic)).size === 0) throw missing;
      const partitions = [...topic.leaders.keys()];
      const { error, partitions: answers } = await cluster.askCoordinator(group, offsetDelete, { group, topic: name, partitions });
      if (error === KAFKA.groupNotFound) throw missing;
      ensureNone(`deleting the group ${group}`, error);
      for (const one of answers) ensureNone(`deleting the group ${group}`, one.error);
      const { committed } = await cluster.askCoordinator(group, offsetFetch, { group, topic: name, partitions: undefined });
      if (committed.some(({ offset }) => offset >= 0)) return;
      const gone = await cluster.askCoordinator(group, deleteGroups, group);
      if (gone !== KAFKA.nonEmptyGroup && gone !== KAFKA.groupNotFound) ensureNone(`deleting the group ${group}`, gone);
    },
    async seek(name, group, to) {
      const topic = await cluster.topic(name);
      const offsets = await offsetsOf(cluster, topic, to);
      const commits = offsets.map((offset, index) => ({ index, offset, epoch: -1, metadata: "" }));
      if (!(await commitAlone(cluster, group, name, commits))) return;
      throw new PubSubError(
        "failed_precondition",
        `the group ${group} has readers: Kafka moves a group only while it has none; stop them first`,
      );
    },
    async browse(name, after, limit) {
      const topic = await orNone(cluster.topic(name));
      return topic ? browse(cluster, topic, after, limit, shown) : [];
    },
  };
}

/** Partition by partition. */
async function browse(
  cluster: Cluster,
  topic: Topic,
  after: string | undefined,
  limit: number,
  shown: (record: StoredRecord) => StoredRecord,
): Promise<readonly Stored[]> {
  const from = after === undefined ? { partition: 0, offset: -1 } : parsePosition(after);
  if (!from)
    throw new PubSubError("invalid_argument", `${topic.name} has no position ${after}: expected partition-offset`, { permanent: true });
  const starts = await offsetsAt(cluster, topic, EARLIEST);
  const found: Stored[] = [];
  for (let index = from.partition; index < topic.leaders.length && found.length < limit; index++) {
    let next = Math.max(starts[index] ?? 0, index === from.partition ? from.offset + 1 : 0);
    while (found.length < limit) {
      const { records, next: behind } = await recordsAt(cluster, topic, index, next, PAGE_BYTES);
      if (behind === next) break;
      for (const record of records.slice(0, limit - found.length)) {
        const { offset, timestamp, key, data, attributes } = shown(record);
        const position = positionOf(index, offset);
        found.push({ topic: topic.name, position, data, attributes, publishedAt: timestamp, ...(key === undefined ? {} : { key }) });
      }
      next = behind;
    }
  }
  return found;
}

/** Each broker knows those that it coordinates. */
async function allGroups(cluster: Cluster): Promise<readonly string[]> {
  const lists = cluster.brokers.map(async (broker) => {
    const connection = await cluster.connection(broker, "control");
    const { error, groups } = await connection.call(listGroups, undefined, cluster.ground.options.readTimeout);
    ensureNone("listing groups", error);
    return groups;
  });
  return [...new Set((await Promise.all(lists)).flat())].sort();
}

/** Members that read the topic. */
async function readers(cluster: Cluster, group: string, topic: string): Promise<number> {
  const { error, subscriptions } = await cluster.askCoordinator(group, describeGroup, group);
  ensureNone(`describing the group ${group}`, error);
  return subscriptions.filter((bytes) => bytes.length > 0 && readSubscription(bytes).topics.includes(topic)).length;
}

/** A topic that is not there has no groups and no messages. */
async function orNone(topic: Promise<Topic>): Promise<Topic | undefined> {
  try {
    return await topic;
  } catch (error) {
    if (error instanceof AnsweredError && numberOf(error) === KAFKA.unknownTopicOrPartition) return undefined;
    throw error;
  }
}

const quoted = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
