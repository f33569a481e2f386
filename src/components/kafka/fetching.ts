import type { PubSubError } from "../../pubsub/error.ts";
import { asPubSubError, PubSubError as Failure } from "../../pubsub/error.ts";
import { type Backoff, waitMs } from "../../resiliency/backoff.ts";
import type { Cluster, Lane, Topic } from "./cluster.ts";
import type { Connection } from "./connection.ts";
import { answered, KAFKA, livesElsewhere } from "./errors.ts";
import type { Lending } from "./lending.ts";
import { fetchApi } from "./offsets.ts";
import type { Partition } from "./partition.ts";
import { maybeSame } from "./topic-id.ts";
import type { Fetched } from "./wire/log-apis.ts";
import { type Reader, WireError } from "./wire/reader.ts";

/** How long a broker waits for something new before it answers that there is nothing. */
const WAIT_MS = 500;
/** What it is worth to ask for: what the window does not admit yet is held here. */
const LEAST_BYTES = 65_536;
/** Where long answers break. At least one batch comes, whatever its size. */
const SHORTEST_BYTES = 1_024;
const AGAIN: Backoff = { firstMs: 50, mostMs: 1_000 };

export interface Fetcher {
  readonly cluster: Cluster;
  readonly topic: string;
  readonly lane: Lane;
  readonly lending: Lending;
  /** Records have come, or none in time. */
  fetched(): void;
  /** A fetch failed. It is repeated. */
  failed(error: PubSubError): void;
  /** The partition has no such offset: it was trimmed beyond it, or cut off before it. Resolves when it is known where to go on. */
  misplaced(partition: Partition): Promise<void>;
  /** The connection is another one than before: the log may have been cut off. Resolves when what was read is known to be there, or given up. */
  unsure(partition: Partition, connection: Connection): Promise<void>;
}

/** Asks each broker for what it has of our partitions, one question at a time, as long as there is room. */
export class Fetching {
  readonly #fetcher: Fetcher;
  /** Brokers that owe an answer, or that are left alone for a moment. */
  readonly #busy = new Set<number>();
  readonly #failures = new Map<number, number>();
  /** They are left alone for a moment: nobody knows yet where to read on in them, or what they gave could not be read. */
  readonly #aside = new Set<Partition>();
  /** How often in a row a partition alone failed. */
  readonly #bad = new Map<Partition, number>();
  /** The partition of each broker that gave something last: the next ones come first, since a broker fills its answer in their order. */
  readonly #last = new Map<number, number>();
  /** Most bytes of an answer, where one has broken lately. */
  readonly #most = new Map<number, number>();
  /** Everybody has been asked who could be. */
  #asked = false;
  #stopped = false;

  constructor(fetcher: Fetcher) {
    this.#fetcher = fetcher;
  }

  /** There may be room, or somebody to ask. */
  pump(): void {
    const { lending, cluster, topic } = this.#fetcher;
    if (this.#asked || this.#stopped) return;
    const { room } = lending;
    const known = room > 0 ? cluster.known(topic) : undefined;
    if (!known) return;
    this.#asked = true;
    const byLeader = new Map<number, Partition[]>();
    for (const partition of lending.partitions) {
      const leader = known.leaders[partition.index] ?? -1;
      if (!partition.readable || this.#aside.has(partition) || !maybeSame(partition.topicId, known.id) || this.#busy.has(leader)) continue;
      const same = byLeader.get(leader);
      if (same) same.push(partition);
      else byLeader.set(leader, [partition]);
    }
    for (const [leader, partitions] of byLeader) this.#ask(leader, known, behind(this.#last.get(leader) ?? -1, partitions), room);
  }

  /** Partitions have come or gone, or leaders moved. */
  changed(): void {
    this.#asked = false;
    this.pump();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Not all that is ours can be read. */
  get troubled(): boolean {
    if (this.#failures.size === 0 && this.#bad.size === 0) return false;
    const { cluster, lending, topic } = this.#fetcher;
    const leaders = cluster.known(topic)?.leaders ?? [];
    const ours = new Set(lending.partitions.map(({ index }) => leaders[index] ?? -1));
    // A broker that leads nothing of ours any more never answers again.
    for (const leader of this.#failures.keys()) if (!ours.has(leader)) this.#failures.delete(leader);
    for (const partition of this.#bad.keys()) if (partition.leaving) this.#bad.delete(partition);
    return this.#failures.size > 0 || this.#bad.size > 0;
  }

  #ask(leader: number, topic: Topic, partitions: readonly Partition[], room: number): void {
    const { cluster, lane } = this.#fetcher;
    this.#busy.add(leader);
    const connection = cluster.link(leader, lane)?.connection;
    if (connection) this.#fetch(connection, leader, topic, partitions, room);
    else
      cluster.connection(leader, lane).then(
        (made) => this.#fetch(made, leader, topic, partitions, room),
        (error: unknown) => {
          cluster.stale();
          this.#failed(leader, asPubSubError(error));
        },
      );
  }

  #fetch(connection: Connection, leader: number, topic: Topic, partitions: readonly Partition[], room: number): void {
    const unsure = partitions.filter(({ sureOver }) => sureOver !== connection);
    if (unsure.length > 0) {
      void this.#ensure(connection, leader, unsure);
      return;
    }
    const { consumerFetchDefault, consumerFetchMin, readTimeout } = this.#fetcher.cluster.ground.options;
    const api = fetchApi(connection.speaks, topic.id);
    const query = {
      topic: topic.name,
      topicId: topic.id,
      partitions: partitions.map(({ index, progress: { next } }) => ({ index, offset: next })),
      maxWaitMs: WAIT_MS,
      minBytes: consumerFetchMin,
      maxBytes: Math.min(consumerFetchDefault, Math.max(room, LEAST_BYTES), this.#most.get(leader) ?? Number.POSITIVE_INFINITY),
    };
    connection.send(
      api,
      (writer) => api.write(writer, query),
      WAIT_MS + readTimeout,
      (error, reader) => {
        if (this.#stopped) return;
        if (error) {
          // The way there may break in the midst of long answers.
          this.#most.set(leader, Math.max(SHORTEST_BYTES, query.maxBytes / 4));
          this.#failed(leader, error);
        } else this.#answered(leader, partitions, api.read(reader as Reader));
      },
    );
  }

  async #ensure(connection: Connection, leader: number, partitions: readonly Partition[]): Promise<void> {
    await Promise.all(
      partitions.map(async (partition) => {
        try {
          await this.#fetcher.unsure(partition, connection);
          partition.sureOver = connection;
        } catch (error) {
          this.#judge(partition, asPubSubError(error));
        }
      }),
    );
    this.#free(leader);
    this.pump();
  }

  #answered(
    leader: number,
    asked: readonly Partition[],
    answer: { readonly error: number; readonly partitions: readonly Fetched[] },
  ): void {
    const { cluster, topic, lending } = this.#fetcher;
    const trouble = answered(`reading ${topic}`, answer.error);
    for (const { index, error, aborted, records } of answer.partitions) {
      const partition = asked.find((one) => one.index === index);
      // It may have been given up meanwhile, and even come back.
      if (!partition || partition.leaving || lending.partition(index) !== partition) continue;
      if (records.length > 0) this.#last.set(leader, index);
      if (error === KAFKA.offsetOutOfRange) this.#misplaced(partition);
      else this.#judge(partition, answered(`reading ${topic}, partition ${index}`, error) ?? this.#read(partition, records, aborted));
    }
    if (trouble) {
      if (livesElsewhere(trouble)) cluster.stale();
      this.#failed(leader, trouble);
    } else {
      this.#failures.delete(leader);
      this.#lengthen(leader);
      this.#free(leader);
    }
    this.#fetcher.fetched();
  }

  #lengthen(leader: number): void {
    const most = this.#most.get(leader);
    if (most === undefined) return;
    if (most < LEAST_BYTES) this.#most.set(leader, 2 * most);
    else this.#most.delete(leader);
  }

  #read(partition: Partition, records: Buffer, aborted: Fetched["aborted"]): PubSubError | undefined {
    if (records.length === 0) return undefined;
    try {
      this.#fetcher.lending.read(partition, records, aborted);
      return undefined;
    } catch (error) {
      // What cannot be decoded must not pass for what was read. Anything else is a fault of ours.
      if (!(error instanceof WireError)) throw error;
      return new Failure(
        "internal",
        `reading ${partition.topic}, partition ${partition.index}, from ${partition.progress.next}: ${error.message}`,
      );
    }
  }

  #misplaced(partition: Partition): void {
    this.#aside.add(partition);
    this.#fetcher.misplaced(partition).then(
      () => this.#again(partition, AGAIN.firstMs),
      (error: unknown) => {
        this.#fetcher.failed(asPubSubError(error));
        this.#again(partition, AGAIN.mostMs);
      },
    );
  }

  /** One partition that cannot be read holds up none of the others. */
  #judge(partition: Partition, trouble: PubSubError | undefined): void {
    const { cluster } = this.#fetcher;
    if (!trouble) {
      this.#bad.delete(partition);
      return;
    }
    // Its leader may be another one for a moment, and come back shorter.
    partition.sureOver = undefined;
    const failures = (this.#bad.get(partition) ?? 0) + 1;
    this.#bad.set(partition, failures);
    this.#aside.add(partition);
    if (livesElsewhere(trouble)) cluster.stale();
    this.#fetcher.failed(trouble);
    this.#again(partition, waitMs(AGAIN, failures, cluster.ground.clock.random()));
  }

  #again(partition: Partition, afterMs: number): void {
    this.#fetcher.cluster.ground.clock.after(afterMs, () => {
      this.#aside.delete(partition);
      this.changed();
    });
  }

  #failed(leader: number, error: PubSubError): void {
    const { clock } = this.#fetcher.cluster.ground;
    if (this.#stopped) return;
    const failures = (this.#failures.get(leader) ?? 0) + 1;
    this.#failures.set(leader, failures);
    this.#fetcher.failed(error);
    clock.after(waitMs(AGAIN, failures, clock.random()), () => {
      this.#free(leader);
      this.pump();
    });
  }

  #free(leader: number): void {
    this.#busy.delete(leader);
    this.#asked = false;
  }
}

/** Those with a higher index first. */
function behind(index: number, partitions: readonly Partition[]): readonly Partition[] {
  return [...partitions.filter((one) => one.index > index), ...partitions.filter((one) => one.index <= index)];
}
