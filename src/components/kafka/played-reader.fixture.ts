import { Recorder } from "../../conformance/recorder.ts";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { writeAssignment } from "./assignor.ts";
import type { Cluster, Lane, Topic } from "./cluster.ts";
import { kafkaOptions } from "./config.ts";
import type { Answered, Connection } from "./connection.ts";
import { Reader } from "./consume.ts";
import type { Api } from "./wire/api.ts";
import { type Committed, heartbeat, joinGroup, leaveGroup, offsetCommit, offsetFetch, syncGroup } from "./wire/group-apis.ts";
import { listOffsets, offsetForLeaderEpoch } from "./wire/log-apis.ts";
import { Reader as WireReader } from "./wire/reader.ts";
import { writeBatch } from "./wire/record-batch.ts";
import { Writer } from "./wire/writer.ts";

const TOPIC = "topic1";
const PATIENCE_MS = 5_000;

/** A fetch that a broker owes an answer to. */
interface Fetch {
  readonly broker: number;
  readonly partitions: readonly { readonly index: number; readonly offset: number }[];
  answer(index: number, records: Buffer): void;
  /** The connection ends: the next one is another. */
  fail(): void;
}

/** A reader of one topic, on a Kafka whose every answer is the test's. Unless it says otherwise, nothing was ever committed. */
export class PlayedReader {
  readonly clock = new SteppedClock();
  readonly sink = new Recorder(PATIENCE_MS);
  /** What was told of it: errors, and undefined when it goes on. */
  readonly told: (PubSubError | undefined)[] = [];
  readonly fetches: Fetch[] = [];
  /** Brokers that cannot be reached. */
  readonly away = new Set<number>();
  /** How the coordinator was asked last, by what it was asked. */
  readonly lanes = new Map<string, Lane>();
  readonly reader: Reader;
  readonly #answers = new Map<string, (query: never) => unknown>();
  readonly #asked = new Map<string, unknown[]>();
  readonly #connections = new Map<number, Connection>();
  readonly #listeners = new Set<() => void>();
  #topic: Topic;

  /** `leaders`: of each partition. */
  constructor(...leaders: number[]) {
    this.#topic = { name: TOPIC, id: "0a".repeat(16), leaders };
    this.sink.interrupted = (error) => void this.told.push(error);
    let generation = 0;
    this.on(joinGroup, () => ({ error: 0, generation: ++generation, leader: "another", member: "me", members: [] }));
    this.assigns(...leaders.keys());
    this.on(heartbeat, () => 0);
    this.on(leaveGroup, () => 0);
    this.on(offsetCommit, ({ commits }) => commits.map(({ index }) => ({ index, error: 0 })));
    this.committed({});
    this.on(listOffsets, ({ partitions }) => partitions.map((index) => ({ index, error: 0, offset: 0 })));
    this.on(offsetForLeaderEpoch, () => ({ error: 0, endOffset: 1_000 }));
    const cluster: Partial<Cluster> = {
      id: "cluster",
      ground: {
        options: kafkaOptions.parse({ brokers: "127.0.0.1:1" }),
        clientId: "test",
        clock: this.clock,
        signIn: undefined as never,
      },
      known: () => this.#topic,
      topic: () => Promise.resolve(this.#topic),
      refresh: () => Promise.resolve(),
      stale: () => undefined,
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      link: () => undefined,
      connection: (broker) => this.#connect(broker),
      coordinator: () => this.#connect(0),
      askCoordinator: (_, api, query, lane = "control") => {
        this.lanes.set(api.name, lane);
        return this.#ask(api, query);
      },
      forgetCoordinator: () => undefined,
      closeLane: (_: Lane) => undefined,
      ensureRight(doing, number) {
        if (number !== 0) throw new PubSubError("unavailable", `${doing}: ${number}`);
      },
    };
    const request = { topic: TOPIC, group: "group1", start: "earliest", order: "none", options: {} } as const;
    this.reader = new Reader(cluster as Cluster, request, 1, this.sink, () => undefined);
    this.reader.window(100, 1_000_000);
  }

  on<Query, Answer>(api: Api<Query, Answer>, answer: (query: Query) => Answer | Promise<Answer>): void {
    this.#answers.set(api.name, answer);
  }

  /** What was asked so far. */
  asked<Query>(api: Api<Query, unknown>): readonly Query[] {
    return (this.#asked.get(api.name) ?? []) as Query[];
  }

  /** From the next assignment on. */
  assigns(...partitions: number[]): void {
    const assignment = Buffer.from(writeAssignment([{ topic: TOPIC, partitions }]));
    this.on(syncGroup, () => ({ error: 0, assignment }));
  }

  /** What the group has committed, by the partition's index. */
  committed(stands: Readonly<Record<number, Partial<Committed>>>): void {
    const committed = Object.entries(stands).map(([index, stand]) => ({
      topic: TOPIC,
      index: Number(index),
      error: 0,
      offset: 0,
      epoch: -1,
      metadata: "",
      ...stand,
    }));
    this.on(offsetFetch, () => ({ error: 0, committed }));
  }

  /** The topic is another one, or led by others. */
  becomes(topic: Partial<Topic>): void {
    this.#topic = { ...this.#topic, ...topic };
    for (const listener of this.#listeners) listener();
  }

  /** The next sign of life is answered so. */
  beat(number: number): void {
    this.on(heartbeat, () => number);
    this.clock.advance(3_000);
    this.on(heartbeat, () => 0);
  }

  /** Partitions that were ever fetched. */
  get read(): readonly number[] {
    return [...new Set(this.fetches.flatMap(({ partitions }) => partitions.map(({ index }) => index)))].sort();
  }

  #ask<Query, Answer>(api: Api<Query, Answer>, query: Query): Promise<Answer> {
    const asked = this.#asked.get(api.name) ?? [];
    asked.push(query);
    this.#asked.set(api.name, asked);
    const answer = this.#answers.get(api.name);
    if (!answer) throw new Error(`${api.name} was asked, and the test says nothing of it`);
    return Promise.resolve((answer as (query: Query) => Answer | Promise<Answer>)(query));
  }

  #connect(broker: number): Promise<Connection> {
    if (broker < 0 || this.away.has(broker)) return Promise.reject(new PubSubError("unavailable", `there is no broker ${broker}`));
    let connection = this.#connections.get(broker);
    if (!connection) {
      const made: Partial<Connection> = {
        speaks: new Map([[offsetForLeaderEpoch.key, offsetForLeaderEpoch.version]]),
        call: (api, query) => this.#ask(api, query),
        send: (_, write, __, answered) => this.#fetch(broker, write, answered),
      };
      connection = made as Connection;
      this.#connections.set(broker, connection);
    }
    return Promise.resolve(connection);
  }

  #fetch(broker: number, write: (writer: Writer) => void, answered: Answered): void {
    const writer = new Writer();
    write(writer);
    const reader = new WireReader(writer.written, 4 * 4 + 1 + 2 * 4);
    const [partitions = []] = reader.array(() => {
      reader.string();
      return reader.array(() => {
        const index = reader.int32();
        reader.int32();
        const offset = reader.int64();
        reader.int64();
        reader.int32();
        return { index, offset };
      });
    });
    const answer = (index: number, records: Buffer): void => answered(undefined, new WireReader(answerOf(index, records)));
    const fail = (): void => {
      this.#connections.delete(broker);
      answered(new PubSubError("unavailable", "the connection ended"), undefined);
    };
    this.fetches.push({ broker, partitions, answer, fail });
  }
}

function answerOf(index: number, records: Buffer): Buffer {
  const writer = new Writer().int32(0).int16(0).int32(0);
  writer.array([TOPIC], (name) =>
    writer.string(name).array([index], () => {
      writer.int32(index).int16(0).int64(0).int64(0).int64(0);
      writer
        .array([], () => undefined)
        .int32(-1)
        .bytes(records);
    }),
  );
  return writer.written;
}

/** What a broker has from an offset on, written under a leader's epoch. */
export function batchOf(offset: number, epoch: number, ...texts: string[]): Buffer {
  const writer = new Writer();
  writeBatch(
    writer,
    texts.map((text) => ({ data: Buffer.from(text), attributes: {} })),
    Date.now(),
    "none",
  );
  const batch = Buffer.from(writer.written);
  batch.writeBigInt64BE(BigInt(offset), 0);
  batch.writeInt32BE(epoch, 12);
  return batch;
}
