import { abortError } from "../../pubsub/abort.ts";
import { behind } from "../../pubsub/behind.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Cluster, Topic } from "./cluster.ts";
import type { Connection } from "./connection.ts";
import { KAFKA, livesElsewhere, producedError } from "./errors.ts";
import { outgoingOf } from "./headers.ts";
import { partitionOf } from "./partitioner.ts";
import { produce, produceBefore8 } from "./wire/log-apis.ts";
import { writeBatch } from "./wire/record-batch.ts";
import type { Writer } from "./wire/writer.ts";

const DOING = "Produce";
/** Errors of a batch that may be those of one message in it, whichever that is. */
const OF_ONE: ReadonlySet<number> = new Set([KAFKA.messageTooLarge, KAFKA.recordListTooLarge, KAFKA.invalidRecord]);
const ALL_REPLICAS = -1;
/** Longer than any publish waits: it is given up by its signal. */
const BROKER_MS = 30_000;
/** An answer that takes so long may never come. */
const SILENT_MS = 2_000;
const REQUEST_BYTES = 512;
/** Of a record beside its data. */
const RECORD_BYTES = 128;

/** Some messages of one call that go to one partition. */
interface Share {
  readonly topic: string;
  readonly partition: number;
  readonly messages: Outgoing[];
}

/** Publishes with acks=all, a batch for each partition, and one request for each broker that leads some of them. */
export class Publishing {
  readonly #cluster: Cluster;
  readonly #outgoing: (message: Outgoing) => Outgoing;
  /** Messages without a key go to one partition a call, and to the next one with the next call. */
  #turn = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#outgoing = outgoingOf(cluster.ground.options);
  }

  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    if (signal.aborted) {
      for (const message of batch) message.done(abortError(DOING, signal, "rejected"));
      return;
    }
    this.#turn += 1;
    const call = new Call(this.#cluster, signal, batch.length);
    let late: Map<string, Outgoing[]> | undefined;
    for (const given of batch) {
      const message = this.#outgoing(given);
      const topic = this.#cluster.known(message.topic);
      if (topic) call.add(topic, message, this.#turn);
      else {
        late ??= new Map();
        const same = late.get(message.topic);
        if (same) same.push(message);
        else late.set(message.topic, [message]);
      }
    }
    call.send();
    if (late) for (const [topic, messages] of late) void this.#later(topic, messages, signal, this.#turn);
  }

  /** The first message of a topic: it may have to be created. */
  async #later(name: string, messages: readonly Outgoing[], signal: AbortSignal, turn: number): Promise<void> {
    let topic: Topic;
    try {
      topic = await raced(this.#cluster.ensureTopic(name, signal), signal);
    } catch (error) {
      const { code, message, permanent } = asPubSubError(error);
      for (const one of messages) one.done(new PubSubError(code, message, { permanent }));
      return;
    }
    const call = new Call(this.#cluster, signal, messages.length);
    for (const message of messages) call.add(topic, message, turn);
    call.send();
  }
}

/** What `work` comes to, or that it was given up before anything was sent. */
function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(abortError(DOING, signal, "rejected"));
    if (signal.aborted) aborted();
    signal.addEventListener("abort", aborted, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}

/** One call of `publish`: its messages by broker, and those that have no result yet. */
class Call {
  readonly #cluster: Cluster;
  readonly #signal: AbortSignal;
  readonly #byLeader = new Map<number, Map<string, Share>>();
  readonly #under = new Map<Share, Connection>();
  #left: number;
  readonly #aborted = () => this.#giveUp();

  constructor(cluster: Cluster, signal: AbortSignal, messages: number) {
    this.#cluster = cluster;
    this.#signal = signal;
    this.#left = messages;
  }

  add(topic: Topic, message: Outgoing, turn: number): void {
    const partition = partitionOf(message.key, topic.leaders, turn, this.#cluster.ground.options.partitioner);
    const leader = topic.leaders[partition] ?? -1;
    let shares = this.#byLeader.get(leader);
    if (!shares) {
      shares = new Map();
      this.#byLeader.set(leader, shares);
    }
    const key = `${partition} ${topic.name}`;
    const share = shares.get(key);
    if (share) share.messages.push(message);
    else shares.set(key, { topic: topic.name, partition, messages: [message] });
  }

  send(): void {
    if (this.#byLeader.size === 0) return;
    this.#signal.addEventListener("abort", this.#aborted, { once: true });
    for (const [leader, shares] of this.#byLeader) {
      const link = this.#cluster.link(leader, "produce");
      const connection = link?.connection;
      if (connection) this.#produce(connection, [...shares.values()]);
      else void this.#whenReady(leader, [...shares.values()]);
    }
  }

  /** A connection that is being made is waited for; one that could not be made fails at once. */
  async #whenReady(leader: number, shares: readonly Share[]): Promise<void> {
    let connection: Connection;
    try {
      connection = await raced(this.#cluster.connection(leader, "produce"), this.#signal);
    } catch (error) {
      this.#cluster.stale();
      for (const share of shares) this.#settle(share, asPubSubError(error));
      return;
    }
    this.#produce(connection, shares);
  }

  #produce(connection: Connection, shares: readonly Share[]): void {
    const { compression } = this.#cluster.ground.options;
    const now = this.#cluster.ground.clock.now();
    const api = (connection.speaks.get(produce.key) ?? 0) < produce.version ? produceBefore8 : produce;
    for (const share of shares) this.#under.set(share, connection);
    connection.send(
      api,
      (writer) => {
        writer.nullableString(undefined).int16(ALL_REPLICAS).int32(BROKER_MS);
        writer.array(byTopic(shares), ([topic, some]) => {
          writer.string(topic).array(some, ({ partition, messages }) => {
            writer.int32(partition);
            withLength(writer, () => writeBatch(writer, messages, now, compression));
          });
        });
      },
      BROKER_MS,
      (error, reader) => {
        if (error || !reader) {
          for (const share of shares) if (this.#under.delete(share)) this.#settle(share, error);
          return;
        }
        for (const { topic, partition, error: number, firstOffset, message } of api.read(reader)) {
          const share = shares.find((one) => one.partition === partition && one.topic === topic);
          if (!share || !this.#under.delete(share)) continue;
          if (OF_ONE.has(number) && share.messages.length > 1) {
            this.#split(connection, share);
            continue;
          }
          const failure = producedError(`${DOING} to ${topic}`, number, message);
          if (failure && livesElsewhere(failure)) this.#cluster.stale();
          this.#settle(share, failure, firstOffset);
        }
      },
      sizeOf(shares),
    );
  }

  /** Together they are too large for the topic, or one is refused for all: in halves, the second only after the first, so that keys keep their order. */
  #split(connection: Connection, { topic, partition, messages }: Share): void {
    const half = Math.ceil(messages.length / 2);
    const failedKeys = new Map<string, PubSubError>();
    const second = messages.slice(half);
    let left = half;
    const first = messages.slice(0, half).map(
      (message): Outgoing => ({
        ...message,
        done: (error, position) => {
          if (error && message.key !== undefined) failedKeys.set(message.key, error);
          message.done(error, position);
          left -= 1;
          if (left > 0) return;
          const allowed: Outgoing[] = [];
          const over = this.#signal.aborted ? abortError(DOING, this.#signal, "rejected") : undefined;
          for (const one of second) {
            const before = one.key === undefined ? undefined : failedKeys.get(one.key);
            const failed = over ?? (before && behind(before));
            if (failed) {
              this.#left -= 1;
              one.done(failed);
            } else allowed.push(one);
          }
          if (allowed.length > 0) this.#produce(connection, [{ topic, partition, messages: allowed }]);
        },
      }),
    );
    this.#produce(connection, [{ topic, partition, messages: first }]);
  }

  #settle({ partition, messages }: Share, error: PubSubError | undefined, firstOffset = 0): void {
    this.#left -= messages.length;
    if (this.#left <= 0) this.#signal.removeEventListener("abort", this.#aborted);
    for (let index = 0; index < messages.length; index++) {
      const message = messages[index] as Outgoing;
      if (error) message.done(error);
      else message.done(undefined, positionOf(partition, firstOffset + index));
    }
  }

  /** A connection that has been silent for long is made anew. One that has not carries the calls of others, who have more patience. */
  #giveUp(): void {
    const under = [...this.#under];
    this.#under.clear();
    // First, since what is sent from within `done` would end with it.
    for (const [, connection] of under) if (connection.silentMs >= SILENT_MS) connection.drop("a publish was given up");
    for (const [share] of under) this.#settle(share, abortError(DOING, this.#signal, "unknown"));
  }
}

/** About how many bytes a request with these has: so the buffer need not grow in the midst of it. */
function sizeOf(shares: readonly Share[]): number {
  let size = REQUEST_BYTES;
  for (const { messages } of shares) for (const { data } of messages) size += data.length + RECORD_BYTES;
  return size;
}

function byTopic(shares: readonly Share[]): readonly (readonly [string, readonly Share[]])[] {
  const [only] = shares;
  if (only && shares.length === 1) return [[only.topic, shares]];
  const topics = new Map<string, Share[]>();
  for (const share of shares) {
    const same = topics.get(share.topic);
    if (same) same.push(share);
    else topics.set(share.topic, [share]);
  }
  return [...topics];
}

function withLength(writer: Writer, write: () => void): void {
  const at = writer.skip(4);
  write();
  writer.int32At(at, writer.length - at - 4);
}

/** `partition-offset`: the same on every redelivery, and unique in the topic. */
export const positionOf = (partition: number, offset: number): string => `${partition}-${offset}`;
