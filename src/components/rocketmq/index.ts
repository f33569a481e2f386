import { within } from "../../pubsub/abort.ts";
import type { Capabilities } from "../../pubsub/capabilities.ts";
import type { ComponentContext, ComponentDefinition } from "../../pubsub/component.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Finding, PubSub } from "../../pubsub/pubsub.ts";
import type { Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { type RocketmqOptions, rocketmqOptions } from "./config.ts";
import { Reader } from "./consume.ts";
import { checkNames, Entities, holdersAway, notFifo } from "./entities.ts";
import { isNoTopic } from "./errors.ts";
import { ClientType, Language, MessageType } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { inspect } from "./inspect.ts";
import { Proxies } from "./proxies.ts";
import { Publisher } from "./publish.ts";
import { noType, type Route, Routes } from "./routes.ts";
import { Session } from "./session.ts";

const DAY_MS = 86_400_000;

const capabilities: Capabilities = {
  ordering: "key",
  holdsKeys: false,
  orderedReplicas: "many",
  delayedRetry: "unordered",
  maxDelayMs: DAY_MS / 2,
  attempts: "deliveries",
  position: true,
  hold: Number.POSITIVE_INFINITY,
  keepsWithoutGroup: true,
  durable: true,
  retentionMs: 3 * DAY_MS,
  headers: true,
  ttl: false,
  delay: true,
  replay: false,
  broadcast: false,
  backlog: true,
  browse: false,
  maxBatch: 500,
  maxBatchBytes: 2 * 2 ** 20,
  maxBytes: 4 * 2 ** 20 - 65_536,
  publishPipeline: 1,
};

/** Behind the name of a group that reads in order. */
const ORDERED = "-ordered";
/** The proxy learns of topics that we publish to so late. */
const TELL_MS = 1_000;
const JOIN_MS = 10_000;

class RocketMQ implements PubSub {
  readonly capabilities: Capabilities;
  readonly #options: RocketmqOptions;
  readonly #context: ComponentContext;
  readonly #proxies: Proxies;
  readonly #entities: Entities;
  readonly #routes: Routes;
  readonly #publisher: Publisher;
  readonly #session: Session;
  readonly #published = new Set<string>();
  readonly #readers = new Set<Reader>();
  /** Whose limits are looked at. */
  readonly #groups: Set<string>;
  #telling: (() => void) | undefined;
  #consumers = 0;
  #closed = false;

  constructor(options: RocketmqOptions, context: ComponentContext) {
    const { name, clock, process } = context;
    this.capabilities = {
      ...capabilities,
      delay: options.topicType === "delay" || options.topicType === "mixed",
      backlog: options.nameServers.length > 0,
    };
    this.#options = options;
    this.#context = context;
    this.#proxies = new Proxies(options, name, clock);
    this.#entities = new Entities(options);
    const group = options.consumerGroup || context.appId;
    this.#groups = new Set([group, `${group}${ORDERED}`]);
    this.#routes = new Routes(this.#proxies, options, process, clock);
    this.#publisher = new Publisher({
      proxies: this.#proxies,
      options,
      clientId: process,
      clock,
      routes: this.#routes,
      topic: (topic, signal) => this.#topic(topic, false, signal),
      used: (topic) => this.#used(topic),
    });
    this.#session = new Session(this.#proxies, clock, {
      clientId: process,
      settings: () => ({
        clientType: ClientType.PRODUCER,
        userAgent: { language: Language.NODE_JS, version: "layotto" },
        pubSub: {
          case: "publishing",
          value: { topics: [...this.#published].map((topic) => ({ resourceNamespace: options.nameSpace, name: topic })) },
        },
      }),
      ready: () => undefined,
      // What it means for a publish the publish is told.
      unwelcome: () => undefined,
      away: () => undefined,
    });
    this.#session.open();
    this.#proxies.open();
  }

  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    this.#publisher.publish(batch, signal);
  }

  async subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    const signal = AbortSignal.timeout(JOIN_MS);
    const brokers = await this.#ensured(request.topic, [request], signal);
    if (this.#closed) throw closed();
    this.#consumers += 1;
    const clientId = `${this.#context.process}@${this.#consumers}`;
    const reader = new Reader(request, this.#groupOf(request), clientId, sink, {
      proxies: this.#proxies,
      options: this.#options,
      clock: this.#context.clock,
      managed: this.#entities.managed,
      brokers: async () => (await this.#routes.find(request.topic)).brokers,
      // Its group has begun, also where no broker that is there now can tell.
      ensure: () => this.#ensureGroup({ ...request, start: "earliest" }, AbortSignal.timeout(JOIN_MS)),
      ...(this.capabilities.backlog && {
        unread: (topic: string, group: string, late: AbortSignal) => this.#entities.unread(topic, group, late),
      }),
      left: (one) => this.#readers.delete(one),
    });
    await reader.open(brokers, signal);
    this.#readers.add(reader);
    return reader;
  }

  async ensure(topic: string, groups: readonly SubscribeRequest[], signal: AbortSignal): Promise<void> {
    await this.#ensured(topic, groups, signal);
  }

  async inspect(signal: AbortSignal): Promise<readonly Finding[]> {
    await this.#reach(signal);
    await this.#ping(signal);
    return inspect(this.#entities, [...this.#groups], signal);
  }

  async ping(signal: AbortSignal): Promise<void> {
    await this.#reach(signal);
    await this.#ping(signal);
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    this.#telling?.();
    try {
      await Promise.all([...this.#readers].map((reader) => reader.close(signal)));
      if (!signal.aborted) await within(this.#session.close(), signal, "leaving");
    } finally {
      void this.#session.close();
      this.#proxies.close();
    }
  }

  /**
   * Order is a property of a RocketMQ group as a whole, over all topics that it reads: so an app has one group for what it wants in order,
   * and another for the rest.
   */
  #groupOf({ group, order }: SubscribeRequest): string {
    return order === "none" ? group : `${group}${ORDERED}`;
  }

  /** Makes or checks a topic and its groups. Returns the names of the topic's brokers. */
  async #ensured(topic: string, groups: readonly SubscribeRequest[], signal: AbortSignal): Promise<readonly string[]> {
    await this.#reach(signal);
    const ordered = groups.some(({ order }) => order !== "none");
    if (groups.some(({ order }) => order === "topic")) throw noTopicOrder();
    const { types, brokers } = await this.#topic(topic, ordered, signal);
    if (ordered && types.size === 0) throw noType(topic);
    if (ordered && !types.has(MessageType.FIFO)) throw notFifo(topic, [...types].map((type) => TYPE_NAMES[type]).join(", "));
    for (const request of groups) await this.#ensureGroup(request, signal);
    return brokers;
  }

  async #ensureGroup(request: SubscribeRequest, signal: AbortSignal): Promise<void> {
    const group = this.#groupOf(request);
    this.#groups.add(group);
    if (this.#entities.managed) await this.#entities.ensureGroup(request, group, signal);
    else checkNames(request.topic, group);
  }

  async #topic(topic: string, ordered: boolean, signal: AbortSignal): Promise<Route> {
    // Before the proxy is asked, which remembers for a while that there was no such topic.
    const unmade = this.#entities.managed ? await this.#make(topic, ordered, signal) : undefined;
    try {
      return await this.#routes.find(topic);
    } catch (error) {
      if (!isNoTopic(error)) throw error;
      if (this.#routes.had(topic)) throw holdersAway(topic, error);
      if (unmade) throw unmade;
      const command = `mqadmin updateTopic -c CLUSTER -t ${topic} -a +message.type=${ordered ? "FIFO" : "NORMAL"}`;
      throw new PubSubError("not_found", `there is no topic ${topic}: ${command}, or give nameServer to have it made`, { cause: error });
    }
  }

  /** Why it could not be made or looked at. A topic that is there can be used all the same. */
  async #make(topic: string, ordered: boolean, signal: AbortSignal): Promise<PubSubError | undefined> {
    const late = AbortSignal.timeout(this.#options.requestTimeout);
    try {
      await this.#entities.ensureTopic(topic, ordered, this.#routes.had(topic), AbortSignal.any([signal, late]));
      return undefined;
    } catch (error) {
      const failure = asPubSubError(error);
      if (failure.permanent) throw failure;
      return failure;
    }
  }

  /** A topic that need not be there: any answer will do. */
  async #ping(signal: AbortSignal): Promise<void> {
    await within(this.#routes.find("TBW102").catch(unlessAnswered), signal, "ping");
  }

  #used(topic: string): void {
    if (this.#published.has(topic)) return;
    this.#published.add(topic);
    // Many topics at once are told at once.
    this.#telling ??= this.#context.clock.after(TELL_MS, () => {
      this.#telling = undefined;
      this.#session.update();
    });
  }

  /** Connections are made in the background; the first question waits for them as long as they are only beginning. */
  async #reach(signal: AbortSignal): Promise<void> {
    while (!this.#proxies.up) {
      if (this.#closed) throw closed();
      if (this.#proxies.failed || signal.aborted) throw this.#proxies.unavailable();
      await this.#proxies.changes.next(signal);
    }
    if (this.#closed) throw closed();
  }
}

const TYPE_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(MessageType).map(([name, number]) => [number, name]),
);

/** The proxy answered, whatever it was. */
function unlessAnswered(error: unknown): void {
  if (!(error instanceof PubSubError) || error.code === "unavailable" || error.code === "deadline_exceeded") throw error;
}

const closed = () => new PubSubError("unavailable", "the component is closed", { permanent: true });

const noTopicOrder = () =>
  new PubSubError("failed_precondition", "RocketMQ keeps the order of a key, not of a topic: ask for order: key", { permanent: true });

export const definition: ComponentDefinition<RocketmqOptions> = {
  type: "rocketmq",
  capabilities,
  options: rocketmqOptions,
  groupOf: ({ consumerGroup }) => consumerGroup || undefined,
  open: (options, context) => new RocketMQ(options, context),
};
