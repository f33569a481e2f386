import { asPubSubError, type PubSubError } from "../../pubsub/error.ts";
import { type Backoff, waitMs } from "../../resiliency/backoff.ts";
import type { Cluster, Topic } from "./cluster.ts";
import { answered, coordinatedElsewhere } from "./errors.ts";
import { byLeader, committedOf, offsetsOn } from "./offsets.ts";
import { Partition, type Stand } from "./partition.ts";
import type { Remembered } from "./remembered.ts";
import { EARLIEST } from "./wire/log-apis.ts";

const AGAIN: Backoff = { firstMs: 50, mostMs: 1_000 };
/** Nothing is committed. Where it begins is, at once: who begins after us with `latest` would skip what nobody has settled yet. */
const UNREAD: Stand = { offset: -1, metadata: "", epoch: -1 };

/** For whom partitions are taken. */
export interface Taker {
  readonly cluster: Cluster;
  readonly group: string;
  readonly topic: string;
  readonly remembered: Remembered;
  /** Whether it has this one. */
  has(index: number): boolean;
  /** They begin, where the group is in them. */
  begin(partitions: readonly Partition[]): void;
  /** Some cannot begin yet. They are tried again. */
  failed(error: PubSubError): void;
  /** None waits any more. */
  recovered(): void;
  /** An error that trying again will not mend. */
  refused(error: PubSubError): void;
}

/** The partitions that are a reader's, from their assignment until they begin. One whose leader is away keeps none of the others waiting. */
export class Taking {
  readonly #taker: Taker;
  /** By the present assignment. What was asked under another one says nothing under this one. */
  #mine: ReadonlySet<number> = new Set();
  /** How often in a row each could not begin. */
  readonly #failures = new Map<number, number>();
  #due: number[] = [];
  #cancelAgain: (() => void) | undefined;

  constructor(taker: Taker) {
    this.#taker = taker;
  }

  /** The partitions that are the reader's, begun or not. */
  get mine(): readonly number[] {
    return [...this.#mine];
  }

  /** Some cannot begin. */
  get troubled(): boolean {
    return this.#failures.size > 0;
  }

  /** These are the reader's, and no others. Those that it has not got begin as soon as they can. */
  assign(indexes: Iterable<number>): void {
    this.#mine = new Set(indexes);
    this.#due = [];
    this.#cancelAgain?.();
    this.#cancelAgain = undefined;
    this.#recovered([...this.#failures.keys()].filter((index) => !this.#mine.has(index)));
    const missing = this.mine.filter((index) => !this.#taker.has(index));
    if (missing.length > 0) void this.#take(missing);
  }

  /** What it has not got begins, whatever was asked before. */
  again(): void {
    this.assign(this.#mine);
  }

  async #take(indexes: readonly number[]): Promise<void> {
    const mine = this.#mine;
    const { cluster, group } = this.#taker;
    try {
      const topic = await this.#topic(indexes);
      const committed = await committedOf(cluster, group, topic);
      for (const [leader, led] of byLeader(topic, indexes)) void this.#takeOn(leader, topic, led, committed, mine);
    } catch (error) {
      if (coordinatedElsewhere(error)) cluster.forgetCoordinator(group);
      this.#failed(indexes, asPubSubError(error), mine);
    }
  }

  async #topic(indexes: readonly number[]): Promise<Topic> {
    const { cluster, topic: name } = this.#taker;
    const topic = await cluster.topic(name);
    if (indexes.every((index) => index < topic.leaders.length)) return topic;
    // Whoever shared them knew of more.
    await cluster.refresh();
    return cluster.topic(name);
  }

  /** Partitions that one broker leads. In one that its group has never read, it begins at the first message: it is new. */
  async #takeOn(
    leader: number,
    topic: Topic,
    indexes: readonly number[],
    committed: ReadonlyMap<number, Stand>,
    mine: ReadonlySet<number>,
  ): Promise<void> {
    const { cluster, remembered } = this.#taker;
    try {
      const fresh = indexes.filter((index) => !committed.has(index));
      const earliest = fresh.length === 0 ? [] : await offsetsOn(cluster, leader, topic, EARLIEST, fresh);
      if (this.#mine !== mine) return;
      const begun: Partition[] = [];
      for (const index of indexes) {
        const { error, offset } = earliest.find((one) => one.index === index) ?? { error: 0, offset: 0 };
        const failed = answered(`where ${topic.name} begins, partition ${index}`, error);
        const known = committed.get(index) ?? UNREAD;
        const begin = known === UNREAD ? { ...UNREAD, offset } : known;
        if (failed) this.#failed([index], failed, mine);
        else begun.push(new Partition(topic.name, topic.id, index, remembered.recall(index, topic.id, known) ?? begin, known));
      }
      this.#taker.begin(begun);
      this.#recovered(begun.map(({ index }) => index));
    } catch (error) {
      this.#failed(indexes, asPubSubError(error), mine);
    }
  }

  #failed(indexes: readonly number[], error: PubSubError, mine: ReadonlySet<number>): void {
    if (this.#mine !== mine) return;
    const { cluster, failed, refused } = this.#taker;
    if (error.permanent) {
      refused(error);
      return;
    }
    // Others may lead them by now.
    cluster.stale();
    let most = 0;
    for (const index of indexes) {
      const failures = (this.#failures.get(index) ?? 0) + 1;
      this.#failures.set(index, failures);
      most = Math.max(most, failures);
    }
    this.#due.push(...indexes);
    failed(error);
    const { clock } = cluster.ground;
    this.#cancelAgain ??= clock.after(waitMs(AGAIN, most, clock.random()), () => {
      this.#cancelAgain = undefined;
      void this.#take(this.#due.splice(0));
    });
  }

  #recovered(indexes: readonly number[]): void {
    if (this.#failures.size === 0) return;
    for (const index of indexes) this.#failures.delete(index);
    if (this.#failures.size === 0) this.#taker.recovered();
  }
}
