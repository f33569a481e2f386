import { within } from "../../pubsub/abort.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Backlog, Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { backlogOf } from "./backlog.ts";
import type { Cluster, Lane, Topic } from "./cluster.ts";
import { Committing } from "./committing.ts";
import { coordinatedElsewhere, isOut } from "./errors.ts";
import { Fetching } from "./fetching.ts";
import { headersOf } from "./headers.ts";
import { Lending } from "./lending.ts";
import { sealed } from "./marks.ts";
import { Member } from "./member.ts";
import type { Partition } from "./partition.ts";
import { cutOff, leftOf, type Relocation, whereToGoOn } from "./relocation.ts";
import { Remembered } from "./remembered.ts";
import { Taking } from "./taking.ts";
import { maybeSame } from "./topic-id.ts";
import { TopicWatch } from "./topic-watch.ts";
import { Troubles } from "./troubles.ts";
import { type Commit, offsetCommit, type PartitionError } from "./wire/group-apis.ts";

/** One reader of a group: a member of its own, that has some of the topic's partitions. */
export class Reader implements Subscription {
  readonly closed: Promise<PubSubError | undefined>;
  readonly topic: string;
  readonly group: string;
  readonly #cluster: Cluster;
  readonly #sink: Sink;
  readonly #lane: Lane;
  readonly #lending: Lending;
  readonly #committing: Committing;
  readonly #fetching: Fetching;
  readonly #taking: Taking;
  readonly #member: Member;
  readonly #left: (reader: Reader) => void;
  readonly #end = Promise.withResolvers<PubSubError | undefined>();
  readonly #troubles: Troubles;
  /** Ends the wait for what is revoked. */
  readonly #ending = new AbortController();
  readonly #remembered = new Remembered();
  readonly #watch: TopicWatch;
  #cancelLeave: (() => void) | undefined;
  #joined = false;
  #over = false;
  /** The generation in which the last commit was sent. */
  #sentIn: number | undefined;

  constructor(cluster: Cluster, request: SubscribeRequest, number: number, sink: Sink, left: (reader: Reader) => void) {
    const { options, clock } = cluster.ground;
    this.topic = request.topic;
    this.group = request.group;
    this.closed = this.#end.promise;
    this.#cluster = cluster;
    this.#sink = sink;
    this.#lane = `fetch:${number}`;
    this.#left = left;
    this.#lending = new Lending({
      sink,
      shown: headersOf(options),
      goOn: () => this.#goOn(),
      touched: (partition) => this.#committing.touch(partition),
    });
    const { window } = this.#lending;
    this.#committing = new Committing({
      clock,
      intervalMs: options.commitInterval,
      get most() {
        return Math.max(1, window.messages >> 2);
      },
      commit: (commits) => this.#commit(commits),
      failed: (error) => this.#commitFailed(error),
      recorded: () => {
        this.#troubles.end("recording");
        this.#fetching.changed();
      },
    });
    this.#fetching = new Fetching({
      cluster,
      topic: request.topic,
      lane: this.#lane,
      lending: this.#lending,
      fetched: () => this.#fetched(),
      failed: (error) => this.#troubles.begin("reading", error),
      misplaced: (partition) => this.#relocate(partition, (topic) => whereToGoOn(cluster, topic, partition)),
      unsure: (partition, connection) => this.#relocate(partition, (topic) => cutOff(cluster, topic, partition, connection)),
    });
    this.#troubles = new Troubles((gravest) => {
      if (!this.#over) sink.interrupted(gravest);
    });
    this.#taking = new Taking({
      cluster,
      group: request.group,
      topic: request.topic,
      remembered: this.#remembered,
      has: (index) => this.#lending.partition(index) !== undefined,
      begin: (partitions) => this.#begin(partitions),
      failed: (error) => this.#troubles.begin("reading", error),
      recovered: () => this.#readable(),
      refused: (error) => this.#die(error),
    });
    const taking = this.#taking;
    this.#member = new Member(
      {
        cluster,
        group: request.group,
        topic: request.topic,
        get owned() {
          return taking.mine;
        },
        assigned: (partitions) => this.#assigned(partitions),
        out: (error) => {
          taking.assign([]);
          this.#lose(this.#lending.partitions, error);
        },
        refused: (error) => this.#die(error),
        troubled: (error) => (error ? this.#troubles.begin("group", error) : this.#troubles.end("group")),
      },
      `join:${number}`,
    );
    this.#watch = new TopicWatch(cluster, request.topic, {
      resized: () => this.#member.rejoin(),
      changed: (topic) => this.#topicChanged(topic),
      missing: (error) => this.#missing(error),
    });
  }

  /** Messages that are lent and not settled. */
  get lent(): number {
    return this.#lending.window.lent;
  }

  window(messages: number, bytes: number): void {
    if (this.#over) return;
    this.#lending.window.set(messages, bytes);
    if (this.#lending.window.closed) this.#leaveLater();
    else {
      this.#cancelLeave?.();
      this.#cancelLeave = undefined;
      this.#joined = true;
      this.#member.start();
      this.#goOn();
    }
  }

  async flush(signal: AbortSignal): Promise<void> {
    await within(this.#committing.flushed(), signal, "committing");
  }

  async close(signal: AbortSignal): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#watch.stop();
    this.#fetching.stop();
    this.#ending.abort();
    let told = false;
    try {
      if (!this.#committing.clean) await within(this.#committing.flushed(), signal, "committing");
      if (signal.aborted) return;
      told = true;
      await within(this.#member.stop(), signal, "leaving the group");
    } finally {
      if (!told) await this.#member.stop(false);
      this.#finish(undefined);
    }
  }

  backlog(signal: AbortSignal): Promise<Backlog> {
    return within(backlogOf(this.#cluster, this.group, this.topic, this.#lending.partitions), signal, "backlog");
  }

  #goOn(): void {
    if (this.#over) return;
    this.#lending.lend();
    this.#fetching.pump();
    if (this.#lending.window.closed) this.#leaveLater();
  }

  #fetched(): void {
    this.#readable();
    this.#goOn();
  }

  #readable(): void {
    if (!this.#fetching.troubled && !this.#taking.troubled) this.#troubles.end("reading");
  }

  /** Whoever may not read and holds nothing must not keep others from reading. */
  #leaveLater(): void {
    if (!this.#joined || this.#cancelLeave || this.#over || !this.#lending.idle) return;
    const { options, clock } = this.#cluster.ground;
    this.#cancelLeave = clock.after(options.leaveAfter, () => {
      this.#cancelLeave = undefined;
      if (this.#lending.window.closed && this.#lending.idle && !this.#over) void this.#standBy();
    });
  }

  async #standBy(): Promise<void> {
    this.#joined = false;
    this.#lending.leave(this.#lending.partitions);
    await this.#committing.flushed();
    // Some may have come meanwhile.
    this.#taking.assign([]);
    this.#lose(this.#lending.partitions, new PubSubError("unavailable", `the reader of ${this.topic} is paused: others read for it`));
    await this.#member.stop();
    // It may be wanted again meanwhile.
    if (!this.#over && !this.#lending.window.closed) {
      this.#joined = true;
      this.#member.start();
    }
  }

  async #assigned(indexes: readonly number[]): Promise<boolean> {
    const revoked = this.#lending.partitions.filter(({ index }) => !indexes.includes(index));
    // Also one that had not begun: the group waits to hear that it is given up.
    const fewer = this.#taking.mine.some((index) => !indexes.includes(index));
    // Before anything is waited for: what is ours now may not be ours then.
    this.#taking.assign(indexes);
    if (revoked.length > 0) await this.#revoke(revoked);
    return fewer || revoked.length > 0;
  }

  #begin(partitions: readonly Partition[]): void {
    if (this.#over) return;
    for (const partition of partitions) {
      this.#remembered.forget(partition.index);
      this.#lending.add(partition);
      if (partition.elsewhere) this.#committing.touch(partition);
    }
    this.#fetching.changed();
  }

  async #revoke(partitions: readonly Partition[]): Promise<void> {
    const lent = this.#lending.leave(partitions);
    const half = AbortSignal.timeout(Math.floor(this.#cluster.ground.options.rebalanceTimeout / 2));
    const deadline = AbortSignal.any([half, this.#ending.signal]);
    if (lent.length > 0) await within(this.#sink.revoking(lent, deadline), deadline, "revoking").catch(asPubSubError);
    await within(this.#committing.flushed(), deadline, "committing").catch(asPubSubError);
    this.#lose(partitions, new PubSubError("unavailable", `partitions of ${this.topic} are another reader's now`));
  }

  #lose(partitions: readonly Partition[], error: PubSubError): void {
    for (const partition of partitions) this.#remembered.keep(partition);
    const lost = this.#lending.remove(partitions);
    this.#committing.drop(partitions);
    if (lost.length > 0 && !this.#over) this.#sink.lost(lost, error);
    this.#goOn();
  }

  async #relocate(partition: Partition, ask: (topic: Topic) => Promise<Relocation | undefined>): Promise<void> {
    const where = await ask(await this.#cluster.topic(this.topic));
    if (!where || partition.leaving || this.#lending.partition(partition.index) !== partition) return;
    if (where.back) {
      const left = partition.from(leftOf(partition, where.offset));
      this.#lose([partition], where.error);
      this.#begin([left]);
    } else {
      partition.progress.readTo(where.offset);
      this.#troubles.begin("reading", where.error);
    }
  }

  #missing(error: PubSubError | undefined): void {
    if (error) this.#troubles.begin("reading", error);
    else this.#readable();
  }

  #topicChanged({ id }: Topic): void {
    const replaced = this.#lending.partitions.filter(({ topicId, leaving }) => !maybeSame(topicId, id) && !leaving);
    if (replaced.length > 0) {
      // Nothing of what we know of it holds.
      this.#lose(replaced, new PubSubError("unavailable", `the topic ${this.topic} was deleted, and made anew`));
      this.#taking.again();
    }
    this.#fetching.changed();
  }

  #commit(commits: readonly Commit[]): Promise<readonly PartitionError[]> | undefined {
    const { membership } = this.#member;
    this.#sentIn = membership?.generation;
    const seal = (commit: Commit): Commit => ({ ...commit, metadata: sealed(this.#cluster.id, commit.metadata) });
    return (
      membership && this.#cluster.askCoordinator(this.group, offsetCommit, { ...membership, topic: this.topic, commits: commits.map(seal) })
    );
  }

  #commitFailed(error: PubSubError): void {
    if (isOut(error)) {
      // It may speak of a generation that has passed.
      if (!this.#member.joining && this.#sentIn === this.#member.membership?.generation) this.#member.outOf(error);
    } else if (coordinatedElsewhere(error) || error.code === "unavailable") this.#cluster.forgetCoordinator(this.group);
    else this.#troubles.begin("recording", error);
  }

  #die(error: PubSubError): void {
    if (this.#over) return;
    this.#lose(this.#lending.partitions, error);
    this.#over = true;
    void this.#member.stop();
    this.#finish(error);
  }

  #finish(error: PubSubError | undefined): void {
    this.#fetching.stop();
    this.#taking.assign([]);
    this.#committing.stop();
    this.#lending.remove(this.#lending.partitions);
    this.#cancelLeave?.();
    this.#watch.stop();
    this.#cluster.closeLane(this.#lane);
    this.#left(this);
    this.#end.resolve(error);
  }
}
