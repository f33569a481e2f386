import { PubSubError } from "../../pubsub/error.ts";
import { Reader, WireError } from "./wire/reader.ts";
import { Writer } from "./wire/writer.ts";

/** The name of the strategy: Java's clients and librdkafka's share a group with us by it. */
export const PROTOCOL = "cooperative-sticky";
const VERSION = 2;

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/** What a member says when it joins. */
export interface MemberSubscription {
  readonly topics: readonly string[];
  readonly owned: readonly TopicPartitions[];
  /** Of the generation in which it got them; -1: it does not say. */
  readonly generation: number;
}

export function writeSubscription({ topics, owned, generation }: MemberSubscription): Buffer {
  const writer = new Writer();
  writer.int16(VERSION).array(topics, (topic) => writer.string(topic));
  // Older clients of Java look for the generation in the strategy's own data.
  writer.bytes(new Writer().int32(generation).written);
  writeOwned(writer, owned);
  return writer.int32(generation).written;
}

const NO_TOPICS: MemberSubscription = { topics: [], owned: [], generation: -1 };

/** A member whose bytes cannot be decoded reads no topics: it must not keep the others from theirs. */
export function readSubscription(bytes: Buffer): MemberSubscription {
  try {
    return decodeSubscription(new Reader(bytes));
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return NO_TOPICS;
  }
}

function decodeSubscription(reader: Reader): MemberSubscription {
  const version = reader.int16();
  const topics = reader.array(() => reader.string());
  const own = reader.bytes();
  const owned = version >= 1 ? readOwned(reader) : [];
  const generation = version >= 2 ? reader.int32() : own.length === 4 ? own.readInt32BE() : -1;
  return { topics, owned, generation };
}

export function writeAssignment(assigned: readonly TopicPartitions[]): Buffer {
  const writer = new Writer().int16(1);
  writeOwned(writer, assigned);
  return writer.int32(-1).written;
}

/** What the group's leader has written. Throws a PubSubError when it cannot be decoded. */
export function readAssignment(bytes: Buffer): readonly TopicPartitions[] {
  if (bytes.length === 0) return [];
  const reader = new Reader(bytes);
  try {
    reader.int16();
    return readOwned(reader);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new PubSubError("internal", `what the group's leader assigned: ${error.message}`);
  }
}

function writeOwned(writer: Writer, owned: readonly TopicPartitions[]): void {
  writer.array(owned, ({ topic, partitions }) => writer.string(topic).array(partitions, (index) => writer.int32(index)));
}

function readOwned(reader: Reader): readonly TopicPartitions[] {
  return reader.array(() => ({ topic: reader.string(), partitions: reader.array(() => reader.int32()) }));
}

/**
 * Shares the partitions of each topic among the members that read it: evenly, and so that each keeps what it has. What moves is given to
 * nobody this time: whoever has it gives it up first, and joins again.
 */
export function assign(
  members: ReadonlyMap<string, MemberSubscription>,
  counts: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly TopicPartitions[]> {
  const assigned = new Map<string, TopicPartitions[]>([...members.keys()].sort().map((member) => [member, []]));
  const loads = new Map<string, number>();
  for (const topic of [...counts.keys()].sort()) {
    const readers = [...assigned.keys()].filter((member) => members.get(member)?.topics.includes(topic));
    const owners = ownersOf(topic, readers, members);
    const shares = share(counts.get(topic) ?? 0, readers, owners, loads);
    for (const [member, partitions] of shares) {
      loads.set(member, (loads.get(member) ?? 0) + partitions.length);
      const mine = partitions.filter((index) => (owners.get(index) ?? member) === member);
      if (mine.length > 0) assigned.get(member)?.push({ topic, partitions: mine.sort((a, b) => a - b) });
    }
  }
  return assigned;
}

/** Who has each partition. Of two who say so, who got it later. */
function ownersOf(topic: string, readers: readonly string[], members: ReadonlyMap<string, MemberSubscription>): Map<number, string> {
  const owners = new Map<number, string>();
  const since = new Map<number, number>();
  for (const member of readers) {
    const { owned = [], generation = -1 } = members.get(member) ?? {};
    for (const index of owned.filter((one) => one.topic === topic).flatMap(({ partitions }) => partitions)) {
      if ((since.get(index) ?? Number.NEGATIVE_INFINITY) >= generation) continue;
      owners.set(index, member);
      since.set(index, generation);
    }
  }
  return owners;
}

function share(
  count: number,
  readers: readonly string[],
  owners: ReadonlyMap<number, string>,
  loads: ReadonlyMap<string, number>,
): ReadonlyMap<string, number[]> {
  const shares = new Map<string, number[]>(readers.map((member) => [member, []]));
  if (readers.length === 0) return shares;
  for (let index = 0; index < count; index++) shares.get(owners.get(index) ?? "")?.push(index);
  const least = Math.floor(count / readers.length);
  let larger = count % readers.length;
  // Those who have most keep most; among equals, who has less of other topics gets more.
  const inOrder = [...readers].sort(
    (a, b) => (shares.get(b)?.length ?? 0) - (shares.get(a)?.length ?? 0) || (loads.get(a) ?? 0) - (loads.get(b) ?? 0),
  );
  const quotas = new Map(inOrder.map((member) => [member, larger-- > 0 ? least + 1 : least]));
  const kept = new Set<number>();
  for (const [member, partitions] of shares) {
    partitions.splice(quotas.get(member) ?? 0);
    for (const index of partitions) kept.add(index);
  }
  const free = Array.from({ length: count }, (_, index) => index).filter((index) => !kept.has(index));
  for (const member of inOrder) {
    const partitions = shares.get(member) ?? [];
    while (partitions.length < (quotas.get(member) ?? 0)) partitions.push(free.shift() as number);
  }
  return shares;
}
