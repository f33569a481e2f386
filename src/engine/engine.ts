import type { AppChannel, AppSubscription } from "../app/channel.ts";
import type { CatalogueError } from "../errors/catalogue.ts";
import type { Capabilities } from "../pubsub/capabilities.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Backlog, Order, SubscribeRequest } from "../pubsub/subscription.ts";
import { type Own, withOwn } from "../resiliency/own.ts";
import type { DeliveryPolicy, PublishPolicy } from "../resiliency/policy.ts";
import { Measures } from "../telemetry/measures.ts";
import { Budget } from "./budget.ts";
import type { DeadLetterTarget } from "./dead-letter.ts";
import { ensured } from "./ensured.ts";
import { Flight } from "./flight.ts";
import type { BreakerStatus } from "./gate.ts";
import { type BrokerStatus, Guarded } from "./guarded.ts";
import { Outbox, type OutboxOptions } from "./outbox.ts";
import { type Publishing, type PublishRequest, publish } from "./publish.ts";
import type { Shared } from "./reader-options.ts";
import { type DeclaredSubscription, subscriptionOptions } from "./subscription-options.ts";
import { type SubscriptionStatus, Supervised } from "./supervise.ts";
import { Wanted, type WantedChanges } from "./wanted.ts";

/** One component, opened, and what the configuration says of it. */
export interface Source {
  readonly pubsub: PubSub;
  /** The group that the app reads in: `consumerID`, by default the app's id. */
  readonly group: string;
  /** How it is published to, where that differs from what holds for all. */
  readonly publish?: Own<PublishPolicy>;
}

export interface EngineOptions extends OutboxOptions {
  /** How messages are handed to the brokers, unless a component says otherwise. */
  readonly publish: PublishPolicy;
  /** Most bytes of publishes that wait for their brokers, of all components together. */
  readonly publishBuffer: number;
  /** The largest message an app may publish, in bytes. A broker may allow less. */
  readonly maxMessageBytes: number;
  /** Most bytes that all subscriptions together may have lent, beyond the first few kilobytes of each (D7). */
  readonly deliveryBuffer: number;
  /** How messages are handed to the app, unless a subscription says otherwise. */
  readonly delivery: DeliveryPolicy;
}

/** What happens, for those who write it down. Called synchronously; must not throw. */
export interface EngineEvents {
  subscribed(subscription: AppSubscription): void;
  unsubscribed(subscription: AppSubscription): void;
  /** A broker came up, went, or is refused; or what was found of it has changed. */
  broker(pubsub: string, status: BrokerStatus, before: BrokerStatus): void;
  /** The app asks for a component that is not there: nothing can be read for it. */
  unknownPubSub(subscription: AppSubscription): void;
  /** The app could not be asked what it wants, with the reason; or it could again. */
  appUnanswered(reason: string | undefined): void;
  /** Leases of a subscription were lost, with the reason: the messages come again, here or elsewhere. */
  lost(subscription: AppSubscription, messages: number, reason: string): void;
  /** Something went wrong that loses nothing and stops nothing, in words. */
  trouble(what: string): void;
}

/** A group that the app no longer reads. It stays at the broker with what it has not read, until somebody deletes it. */
export interface Orphan {
  readonly pubsub: string;
  readonly topic: string;
  readonly group: string;
}

/** A subscription's status with the component's name. */
export type NamedStatus = SubscriptionStatus & { readonly pubsub: string };

/** The line from the API to the brokers and from the brokers to the app. It is concrete; brokers and apps are interfaces. */
export class Engine {
  /** What happened so far, in numbers. */
  readonly measures: Measures;
  readonly #clock: Clock;
  readonly #options: EngineOptions;
  readonly #events: EngineEvents;
  readonly #sources: ReadonlyMap<string, Source>;
  readonly #channel: AppChannel | undefined;
  readonly #brokers: ReadonlyMap<string, Guarded>;
  readonly #publishing: ReadonlyMap<string, Publishing>;
  readonly #budget: Budget;
  readonly #shared: Shared;
  readonly #declared = new Set<string>();
  readonly #ensuring = new AbortController();
  /** Readers that are being closed while others go on. */
  readonly #closing = new Set<Promise<void>>();
  /** What the app wants otherwise than before, and is opened once its old reader is closed. */
  readonly #anew = new Map<string, AppSubscription>();
  readonly #subscriptions = new Map<AppSubscription, { readonly pubsub: string; readonly supervised: Supervised }>();
  readonly #orphans = new Map<string, Orphan>();
  #wanted: Wanted | undefined;

  /** Without a channel there is no app to call, and the engine only publishes. */
  constructor(
    sources: ReadonlyMap<string, Source>,
    channel: AppChannel | undefined,
    clock: Clock,
    options: EngineOptions,
    events: EngineEvents,
  ) {
    this.#sources = sources;
    this.#channel = channel;
    this.#clock = clock;
    this.#options = options;
    this.#events = events;
    this.measures = new Measures(sources.keys());
    this.#budget = new Budget(options.publishBuffer);
    this.#shared = { flight: new Flight(), memory: new Budget(options.deliveryBuffer) };
    this.#brokers = new Map(
      [...sources].map(([name, { pubsub }]) => [name, new Guarded(pubsub, clock, (status, before) => events.broker(name, status, before))]),
    );
    this.#publishing = new Map([...this.#brokers].map(([name, pubsub]) => [name, this.#publishingTo(name, pubsub)]));
  }

  /** Takes the first look at every broker. Rejects when one refuses us for good, such as a file that another process owns; an absent one is waited for (D9). */
  async look(): Promise<void> {
    await Promise.all([...this.#brokers.values()].map((broker) => broker.start()));
  }

  /** `done` is called once: without an error when the broker has the message (D1). */
  publish(request: PublishRequest, done: (error?: CatalogueError) => void): void {
    publish(this.#publishing, request, this.#clock, done);
  }

  /**
   * Reads what is declared, and starts to ask the app what it wants beside it. The groups of what the app wanted when it was last asked,
   * `remembered`, are made to exist at once: they must not miss what is published before the app is back (D16).
   */
  start(declared: readonly DeclaredSubscription[], remembered: readonly AppSubscription[]): void {
    const known = new Set(declared.map(keyOf));
    // What is declared is opened below, with all that its group must be from the beginning.
    for (const subscription of remembered) if (!known.has(keyOf(subscription))) this.#ensure(subscription);
    if (!this.#channel || this.#sources.size === 0) return;
    for (const subscription of declared) {
      this.#declared.add(keyOf(subscription));
      this.#open(subscription);
    }
    const changes: WantedChanges = {
      added: (subscription) => this.#declared.has(keyOf(subscription)) || this.#open(subscription),
      changed: (before, subscription) => this.#declared.has(keyOf(subscription)) || this.#openAnew(before, subscription),
      removed: (subscription) => this.#declared.has(keyOf(subscription)) || this.#remove(subscription),
      unanswered: (reason) => this.#events.appUnanswered(reason),
    };
    this.#wanted = new Wanted(this.#channel, this.#clock, changes, remembered);
  }

  get brokers(): ReadonlyMap<string, BrokerStatus> {
    return new Map([...this.#brokers].map(([name, broker]) => [name, broker.status]));
  }

  /** Of the components that have one. */
  get breakers(): ReadonlyMap<string, BreakerStatus> {
    return new Map([...this.#publishing].flatMap(([name, { outbox }]) => (outbox.breaker ? [[name, outbox.breaker]] : [])));
  }

  get subscriptions(): readonly NamedStatus[] {
    return [...this.#subscriptions.values()].map(({ pubsub, supervised }) => ({ pubsub, ...supervised.status }));
  }

  /** Bytes that subscriptions may have lent beyond the first few kilobytes of each, and the most there may be. */
  get deliveryBuffer(): { readonly used: number; readonly limit: number } {
    return { used: this.#shared.memory.used, limit: this.#shared.memory.limit };
  }

  /** Bytes of publishes that wait for their brokers, and the most there may be. */
  get publishBuffer(): { readonly used: number; readonly limit: number } {
    return { used: this.#budget.used, limit: this.#budget.limit };
  }

  /** What waits at the brokers, for each subscription whose broker says it before `signal` aborts. */
  async backlogs(signal: AbortSignal): Promise<readonly (Backlog & Orphan)[]> {
    const asked = [...this.#subscriptions.values()].map(async ({ pubsub, supervised }) => {
      const { topic, group } = supervised.status;
      const backlog = await supervised.backlog(signal);
      return backlog ? [{ pubsub, topic, group, ...backlog }] : [];
    });
    return (await Promise.all(asked)).flat();
  }

  get orphans(): readonly Orphan[] {
    return [...this.#orphans.values()];
  }

  /** Stops reading and lets the calls to the app end; publishes still go through meanwhile (D8). */
  async drain(signal: AbortSignal): Promise<void> {
    this.#ensuring.abort();
    this.#wanted?.close();
    await all([...[...this.#subscriptions.values()].map(({ supervised }) => supervised.close(signal)), ...this.#closing]);
  }

  /** After `drain`: fails what still waits to be published, and closes the components. */
  async close(signal: AbortSignal): Promise<void> {
    for (const { outbox } of this.#publishing.values()) outbox.close();
    this.#channel?.close();
    await all([...this.#brokers.values()].map((broker) => broker.close(signal)));
  }

  #publishingTo(name: string, pubsub: Guarded): Publishing {
    const measures = this.measures.of(name);
    const policy = withOwn(this.#options.publish, this.#sources.get(name)?.publish ?? {});
    const outbox = new Outbox(pubsub, this.#budget, this.#clock, policy, this.#options, measures);
    return { pubsub, maxBytes: this.#options.maxMessageBytes, outbox, measures };
  }

  #open(subscription: DeclaredSubscription): void {
    const { pubsub, topic } = subscription;
    const broker = this.#brokers.get(pubsub);
    const publishing = this.#publishing.get(pubsub);
    const own = subscriptionOptions(subscription, this.#options.delivery, broker?.capabilities.defaultOrder);
    if (typeof own === "string") {
      this.#events.trouble(`the subscription to ${topic} in ${pubsub} is refused: ${own}`);
      return;
    }
    const request = this.#request(subscription, own.order);
    if (!request || !broker || !publishing || !this.#channel) {
      this.#events.unknownPubSub(subscription);
      return;
    }
    const { deadLetterTopic, ...more } = own;
    const deadLetters = deadLetterTopic === undefined ? undefined : this.#deadLetters(deadLetterTopic, publishing, request);
    const refused = (reason: string): void => this.#events.trouble(`the subscription to ${topic} in ${pubsub} is refused: ${reason}`);
    const lost = (messages: number, reason: string): void => this.#events.lost(subscription, messages, reason);
    const options = { pubsub, group: request.group, deadLetters, refused, lost, ...more, policy: heldBy(broker.capabilities, own.policy) };
    const measures = this.measures.of(pubsub);
    const measured = { counts: measures.reading(request.topic, request.group), processSeconds: measures.processSeconds };
    this.#events.subscribed(subscription);
    const supervised = new Supervised(broker, request, this.#channel, this.#clock, options, this.#shared, measured);
    this.#subscriptions.set(subscription, { pubsub, supervised });
    this.#orphans.delete(keyOf(subscription));
  }

  /** Where it keeps nothing without a group, or not for ever, a group is made for it before the first dead letter can come (D16). */
  #deadLetters(topic: string, { pubsub, outbox }: Publishing, read: SubscribeRequest): DeadLetterTarget {
    const retaining: SubscribeRequest = { topic, group: read.group, start: "earliest", order: "none", options: {} };
    const { keepsWithoutGroup, ungroupedRetentionMs } = pubsub.capabilities;
    this.#exists(pubsub, topic, keepsWithoutGroup && ungroupedRetentionMs === undefined ? [] : [retaining]);
    return {
      topic,
      // Known only once the broker was seen.
      get maxBytes() {
        return pubsub.capabilities.maxBytes;
      },
      publish: (message, done) => outbox.publish(message, { published: done }),
    };
  }

  #ensure(subscription: AppSubscription): void {
    const own = subscriptionOptions(subscription, this.#options.delivery);
    // What is refused is told when it is opened.
    if (typeof own === "string") return;
    const request = this.#request(subscription, own.order);
    const broker = this.#brokers.get(subscription.pubsub);
    if (request && broker) this.#exists(broker, request.topic, [request]);
  }

  #exists(broker: PubSub, topic: string, groups: readonly SubscribeRequest[]): void {
    void ensured(broker, topic, groups, this.#clock, this.#ensuring.signal, (error) =>
      this.#events.trouble(
        `${[topic, ...groups.map(({ group }) => `with the group ${group}`)].join(" ")} cannot be made: ${error.message}`,
      ),
    );
  }

  #request(
    { pubsub, topic, group, start = "earliest", metadata }: DeclaredSubscription,
    order: Order = "none",
  ): SubscribeRequest | undefined {
    const source = this.#sources.get(pubsub);
    return source && { topic, group: group ?? source.group, start, order, options: metadata };
  }

  /** The group stays at the broker, so nothing is lost if the app asks for it again. It may have no reader: when it is only remembered. */
  #remove(subscription: AppSubscription): void {
    this.#anew.delete(keyOf(subscription));
    const request = this.#request(subscription);
    if (request) this.#orphans.set(keyOf(subscription), { pubsub: subscription.pubsub, topic: request.topic, group: request.group });
    this.#events.unsubscribed(subscription);
    void this.#retire(subscription);
  }

  /** The app wants it otherwise. The old reader settles what it has first, or its messages would be lent to both. */
  #openAnew(before: AppSubscription, subscription: AppSubscription): void {
    const key = keyOf(subscription);
    const waits = this.#anew.has(key);
    this.#anew.set(key, subscription);
    if (waits) return;
    void this.#retire(before).then(() => {
      const wanted = this.#anew.get(key);
      this.#anew.delete(key);
      if (wanted && !this.#ensuring.signal.aborted) this.#open(wanted);
    });
  }

  /** Resolves when its reader is closed, or could not be. */
  #retire(subscription: AppSubscription): Promise<void> {
    const entry = this.#subscriptions.get(subscription);
    if (!entry) return Promise.resolve();
    this.#subscriptions.delete(subscription);
    const closing = entry.supervised
      .close(AbortSignal.timeout(CLOSE_MS))
      .catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.#events.trouble(`closing the subscription to ${subscription.topic} in ${subscription.pubsub}: ${why}`);
      })
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    return closing;
  }
}

const CLOSE_MS = 25_000;

/** Resolves when all have ended, whatever became of one; then rejects with the first error. */
async function all(work: readonly Promise<void>[]): Promise<void> {
  for (const one of await Promise.allSettled(work)) if (one.status === "rejected") throw one.reason;
}

/** No call may take longer than the broker lets us hold its message (D5). */
function heldBy({ hold }: Capabilities, policy: DeliveryPolicy): DeliveryPolicy {
  return typeof hold === "number" ? { ...policy, processingTimeoutMs: Math.min(policy.processingTimeoutMs, hold) } : policy;
}

function keyOf({ pubsub, topic }: AppSubscription): string {
  return JSON.stringify([pubsub, topic]);
}
