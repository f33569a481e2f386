import { PubSubError } from "../../pubsub/error.ts";
import type { Start } from "../../pubsub/subscription.ts";
import type { Cluster, Topic } from "./cluster.ts";
import { ensureNone } from "./errors.ts";
import { unsealed } from "./marks.ts";
import { hasId } from "./topic-id.ts";
import { type Committed, offsetFetch } from "./wire/group-apis.ts";
import {
  EARLIEST,
  type FetchQuery,
  fetch,
  fetchByName,
  LATEST,
  type ListedOffset,
  listOffsets,
  listOffsetsBefore5,
} from "./wire/log-apis.ts";
import { WireError } from "./wire/reader.ts";
import { readBatches, type StoredRecord } from "./wire/record-batch.ts";

/** The newest version of a kind of request that knows topics by their id. */
const BY_ID_SINCE = 13;

/** How this broker is asked for records of a topic with this id. */
export function fetchApi(speaks: ReadonlyMap<number, number>, topicId: string): typeof fetch {
  return (speaks.get(fetch.key) ?? 0) >= BY_ID_SINCE && hasId(topicId) ? fetch : fetchByName;
}

/** What a position says. Undefined: it is none of ours. */
export function parsePosition(position: string): { readonly partition: number; readonly offset: number } | undefined {
  const match = /^(\d{1,9})-(\d{1,15})$/.exec(position);
  return match ? { partition: Number(match[1]), offset: Number(match[2]) } : undefined;
}

/** Of each partition, or of those that are `wanted`, the first offset from a time on, or `EARLIEST`, or `LATEST`. */
export async function offsetsAt(
  cluster: Cluster,
  topic: Topic,
  time: number,
  wanted: Iterable<number> = topic.leaders.keys(),
): Promise<readonly number[]> {
  const offsets: number[] = [];
  await Promise.all(
    [...byLeader(topic, wanted)].map(async ([leader, partitions]) => {
      for (const { index, error, offset } of await offsetsOn(cluster, leader, topic, time, partitions)) {
        cluster.ensureRight(`the offsets of ${topic.name}`, error);
        offsets[index] = offset;
      }
    }),
  );
  return offsets;
}

/** The same of partitions that one broker leads, each with an error of its own. */
export async function offsetsOn(
  cluster: Cluster,
  leader: number,
  topic: Topic,
  time: number,
  partitions: readonly number[],
): Promise<readonly ListedOffset[]> {
  const connection = await cluster.connection(leader, "control");
  const api = (connection.speaks.get(listOffsets.key) ?? 0) < listOffsets.version ? listOffsetsBefore5 : listOffsets;
  return connection.call(api, { topic: topic.name, partitions, time }, cluster.ground.options.readTimeout);
}

/** Which of some partitions each broker leads; -1: nobody does. */
export function byLeader({ leaders }: Topic, wanted: Iterable<number>): ReadonlyMap<number, readonly number[]> {
  const partitions = new Map<number, number[]>();
  for (const index of wanted) {
    const leader = leaders[index] ?? -1;
    const led = partitions.get(leader);
    if (led) led.push(index);
    else partitions.set(leader, [index]);
  }
  return partitions;
}

/** Where a group begins in each partition. */
export async function offsetsOf(cluster: Cluster, topic: Topic, start: Start): Promise<readonly number[]> {
  if (start === "earliest") return offsetsAt(cluster, topic, EARLIEST);
  if (start === "latest") return offsetsAt(cluster, topic, LATEST);
  if ("time" in start) return offsetsFrom(cluster, topic, start.time);
  const position = parsePosition(start.position);
  if (!position || position.partition >= topic.leaders.length) {
    throw new PubSubError("invalid_argument", `${topic.name} has no position ${start.position}: expected partition-offset`, {
      permanent: true,
    });
  }
  // The others begin with what was written at the same time.
  const {
    records: [record],
  } = await recordsAt(cluster, topic, position.partition, position.offset);
  const offsets = record ? [...(await offsetsFrom(cluster, topic, record.timestamp))] : [...(await offsetsAt(cluster, topic, LATEST))];
  offsets[position.partition] = position.offset;
  return offsets;
}

async function offsetsFrom(cluster: Cluster, topic: Topic, time: number): Promise<readonly number[]> {
  const [found, ends] = await Promise.all([offsetsAt(cluster, topic, time), offsetsAt(cluster, topic, LATEST)]);
  return found.map((offset, index) => (offset < 0 ? (ends[index] as number) : offset));
}

/** What a group has committed of a topic, for each partition that it has committed anything of. */
export async function committedOf(cluster: Cluster, group: string, topic: Topic): Promise<ReadonlyMap<number, Committed>> {
  const partitions = [...topic.leaders.keys()];
  const { error, committed } = await cluster.askCoordinator(group, offsetFetch, { group, topic: topic.name, partitions });
  ensureNone(`the offsets of the group ${group}`, error);
  for (const one of committed) ensureNone(`the offsets of the group ${group}`, one.error);
  const valid = new Map<number, Committed>();
  for (const one of committed) {
    const text = unsealed(cluster.id, topic.id, one.metadata);
    if (one.offset >= 0 && text !== undefined) valid.set(one.index, { ...one, metadata: text });
  }
  return valid;
}

/** The records of a partition from an offset on: those of one fetch, and where the next one begins. It may have read what nobody gets to see. */
export async function recordsAt(
  cluster: Cluster,
  topic: Topic,
  index: number,
  offset: number,
  maxBytes = 1,
): Promise<{ readonly records: readonly StoredRecord[]; readonly next: number }> {
  const connection = await cluster.connection(topic.leaders[index] ?? -1, "control");
  const query: FetchQuery = {
    topic: topic.name,
    topicId: topic.id,
    partitions: [{ index, offset }],
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes,
  };
  const { error, partitions } = await connection.call(fetchApi(connection.speaks, topic.id), query, cluster.ground.options.readTimeout);
  const [found] = partitions;
  ensureNone(`reading ${topic.name}`, error || (found?.error ?? 0));
  const records: StoredRecord[] = [];
  if (!found) return { records, next: offset };
  try {
    return { records, next: readBatches(found.records, offset, found.aborted, (record) => records.push(record)).next };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new PubSubError("internal", `reading ${topic.name}, partition ${index}, from ${offset}: ${error.message}`);
  }
}
