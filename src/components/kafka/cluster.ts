import { abortError } from "../../pubsub/abort.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Host } from "./config.ts";
import type { Connection } from "./connection.ts";
import { AnsweredError, answered, closedError, ensureNone, KAFKA, livesElsewhere } from "./errors.ts";
import { Link, type LinkGround } from "./link.ts";
import { offsetsAt } from "./offsets.ts";
import type { Api } from "./wire/api.ts";
import { createTopics, findCoordinator, metadata, type TopicMetadata } from "./wire/cluster-apis.ts";
import { LATEST } from "./wire/log-apis.ts";

/** A topic as the cluster has it now. */
export interface Topic {
  readonly name: string;
  /** Of a topic that was made anew it is another one. */
  readonly id: string;
  /** The leader of each partition, by its index; -1: it has none. */
  readonly leaders: readonly number[];
}

/** What a connection is used for. A request that waits keeps those behind it waiting, so each kind has its own. */
export type Lane = "control" | "heartbeat" | "produce" | `fetch:${number}` | `join:${number}`;

/** How often is asked whether a topic that was created is there. */
const CREATED_LOOK_MS = 20;
const CREATE_MS = 5_000;
/** Topics are asked about at most so often without need. */
const REFRESH_MS = 100;

/** The brokers, who leads what, and the connections to them. */
export class Cluster {
  readonly ground: LinkGround;
  readonly #bootstrap: readonly Link[];
  readonly #links = new Map<string, Link>();
  readonly #topics = new Map<string, Topic>();
  readonly #coordinators = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  #brokers: ReadonlyMap<number, Host> = new Map();
  #id = "";
  #controller = -1;
  /** Who is asked next. */
  #turn = 0;
  #refreshing: Promise<void> | undefined;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #cancelRefresh: () => void = () => undefined;
  #closed = false;

  constructor(ground: LinkGround) {
    this.ground = ground;
    this.#bootstrap = ground.options.hosts.map((host) => new Link(ground, host));
    this.#refreshLater();
  }

  /** Called after each look at the topics. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What is known of a topic already. */
  known(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  /** The way to a broker, if it is known. */
  link(broker: number, lane: Lane): Link | undefined {
    const host = this.#brokers.get(broker);
    if (!host || this.#closed) return undefined;
    const key = `${broker} ${lane}`;
    let link = this.#links.get(key);
    if (link && !link.leadsTo(host)) {
      link.close();
      link = undefined;
    }
    if (!link) {
      link = new Link(this.ground, host);
      this.#links.set(key, link);
    }
    return link;
  }

  /** Ends the connections that are used for this alone. */
  closeLane(lane: Lane): void {
    for (const [key, link] of this.#links) {
      if (!key.endsWith(` ${lane}`)) continue;
      link.close();
      this.#links.delete(key);
    }
  }

  async connection(broker: number, lane: Lane): Promise<Connection> {
    if (this.#closed) throw closedError();
    const link = this.link(broker, lane);
    if (!link) throw new PubSubError("unavailable", `there is no broker ${broker} at the moment`);
    return link.ready();
  }

  /** Asks a broker, whichever answers. */
  async ask<Query, Answer>(api: Api<Query, Answer>, query: Query): Promise<Answer> {
    return (await this.#any()).call(api, query, this.ground.options.readTimeout);
  }

  /** Asks the broker that leads the group. */
  async askCoordinator<Query, Answer>(group: string, api: Api<Query, Answer>, query: Query, lane?: Lane): Promise<Answer> {
    try {
      return await (await this.coordinator(group, lane)).call(api, query, this.ground.options.readTimeout);
    } catch (error) {
      // Another one may lead it by now.
      if (asPubSubError(error).code === "unavailable") this.forgetCoordinator(group);
      throw error;
    }
  }

  async coordinator(group: string, lane: Lane = "control"): Promise<Connection> {
    const known = this.#coordinators.get(group);
    if (known !== undefined && this.#brokers.has(known)) return this.connection(known, lane);
    const found = await this.ask(findCoordinator, group);
    ensureNone(`the coordinator of ${group}`, found.error);
    if (!this.#brokers.has(found.id)) await this.refresh();
    this.#coordinators.set(group, found.id);
    return this.connection(found.id, lane);
  }

  forgetCoordinator(group: string): void {
    this.#coordinators.delete(group);
  }

  /** Resolves with the topic. Rejects with `not_found` when there is none. */
  async topic(name: string): Promise<Topic> {
    const known = this.#topics.get(name);
    if (known) return known;
    const [found] = await this.#look([name]);
    if (!found || found.error === KAFKA.unknownTopicOrPartition)
      throw new AnsweredError(`the topic ${name}`, KAFKA.unknownTopicOrPartition);
    const topic = this.#topics.get(name);
    if (!topic) throw new AnsweredError(`the topic ${name}`, found.error || KAFKA.leaderNotAvailable);
    return topic;
  }

  /** Resolves once the topic is there, created if need be and allowed: then with a leader for each partition. */
  async ensureTopic(name: string, signal: AbortSignal): Promise<Topic> {
    for (let created = false; ; ) {
      if (signal.aborted) throw abortError(`the topic ${name}`, signal, "rejected");
      try {
        const topic = await this.topic(name);
        if (!created) return topic;
        // A leader is known before it knows of it itself.
        if (!topic.leaders.includes(-1)) {
          await offsetsAt(this, topic, LATEST);
          return topic;
        }
        await this.#look([name]);
      } catch (error) {
        const { number } = error as AnsweredError;
        if (number === KAFKA.unknownTopicOrPartition && this.ground.options.createTopics && !created) {
          await this.#create(name);
          created = true;
        } else if (!livesElsewhere(error) || (number === KAFKA.unknownTopicOrPartition && !created)) throw error;
      }
      await new Promise<void>((resolve) => this.ground.clock.after(CREATED_LOOK_MS, resolve));
    }
  }

  /** Throws the error that a broker answered, if it is one; one that says that what we know is old makes us look again. */
  ensureRight(doing: string, number: number): void {
    const error = answered(doing, number);
    if (error && livesElsewhere(error)) this.stale();
    if (error) throw error;
  }

  /** All topics that are not Kafka's own. */
  async topics(): Promise<readonly TopicMetadata[]> {
    const { topics } = await this.ask(metadata, undefined);
    return topics.filter(({ internal, error }) => !internal && error === KAFKA.none);
  }

  /** The cluster's own id. Empty: its brokers do not say. */
  get id(): string {
    return this.#id;
  }

  /** The brokers that there are. */
  get brokers(): readonly number[] {
    return [...this.#brokers.keys()];
  }

  /** Something showed that what we know is old. Looks again, soon. */
  stale(): void {
    if (this.#refreshing || this.#closed) return;
    this.#cancelRefresh();
    const wait = Math.max(0, this.#refreshedAt + REFRESH_MS - this.ground.clock.elapsed());
    this.#cancelRefresh = this.ground.clock.after(wait, () => this.#refreshUnasked());
  }

  /** Looks again at all topics that were asked for. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#look([...this.#topics.keys()])
      .then(() => undefined)
      .finally(() => {
        this.#refreshing = undefined;
        this.#refreshedAt = this.ground.clock.elapsed();
        this.#refreshLater();
      });
    return this.#refreshing;
  }

  close(): void {
    this.#closed = true;
    this.#cancelRefresh();
    for (const link of [...this.#bootstrap, ...this.#links.values()]) link.close();
  }

  #refreshUnasked(): void {
    this.refresh().catch((error: unknown) => {
      asPubSubError(error);
    });
  }

  #refreshLater(): void {
    this.#cancelRefresh();
    const { clientConnectionTopicMetadataRefreshInterval: interval } = this.ground.options;
    if (this.#closed || interval === 0) return;
    this.#cancelRefresh = this.ground.clock.after(interval, () => this.#refreshUnasked());
  }

  /**
   * A connection to whichever broker can be reached; the ones that we have first, in turn: one that is cut off from the others may tell for long
   * what was right before.
   */
  async #any(): Promise<Connection> {
    if (this.#closed) throw closedError();
    const ids = this.brokers;
    this.#turn = (this.#turn + 1) % Math.max(1, ids.length);
    const known = [...ids.slice(this.#turn), ...ids.slice(0, this.#turn)].flatMap((id) => this.link(id, "control") ?? []);
    const up = known.find(({ connection }) => connection !== undefined);
    let failed: PubSubError | undefined;
    for (const link of up ? [up, ...known] : [...known, ...this.#bootstrap]) {
      try {
        return await link.ready();
      } catch (error) {
        failed = asPubSubError(error);
      }
    }
    throw failed ?? new PubSubError("unavailable", "no broker is known");
  }

  async #look(names: readonly string[]): Promise<readonly TopicMetadata[]> {
    const found = await this.ask(metadata, names);
    // One that has just started knows none, and no topic either.
    if (found.brokers.length === 0) throw new PubSubError("unavailable", "the broker that was asked knows of no broker yet");
    this.#id = found.id;
    this.#brokers = new Map(found.brokers.map(({ id, host, port }) => [id, { host, port }]));
    this.#controller = found.controller;
    for (const [key, link] of this.#links) {
      if (this.#brokers.has(Number.parseInt(key, 10))) continue;
      link.close();
      this.#links.delete(key);
    }
    for (const topic of found.topics) {
      if (topic.error === KAFKA.none || topic.error === KAFKA.leaderNotAvailable) this.#topics.set(topic.name, topicOf(topic));
      else if (topic.error === KAFKA.unknownTopicOrPartition) this.#topics.delete(topic.name);
    }
    // They have done what they are for: to tell where the others are.
    for (const link of this.#bootstrap) if (this.#brokers.size > 0) link.rest();
    for (const listener of this.#listeners) listener();
    return found.topics;
  }

  async #create(name: string): Promise<void> {
    const { partitions, replicationFactor } = this.ground.options;
    const wanted = { name, partitions: partitions || -1, replication: replicationFactor || -1, timeoutMs: CREATE_MS };
    const connection = await this.connection(this.#controller, "control");
    const { error, message } = await connection.call(createTopics, wanted, CREATE_MS + this.ground.options.readTimeout);
    if (error !== KAFKA.topicAlreadyExists) ensureNone(`creating the topic ${name}`, error, message);
    await this.#look([name]);
  }
}

function topicOf({ name, id, partitions }: TopicMetadata): Topic {
  const leaders: number[] = [];
  for (const { index, leader } of partitions) leaders[index] = leader;
  return { name, id, leaders };
}
