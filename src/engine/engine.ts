import type { AppChannel, AppSubscription } from "../app/channel.ts";
import type { CatalogueError } from "../errors/catalogue.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Backlog, Start, SubscribeRequest } from "../pubsub/subscription.ts";
import { Measures } from "../telemetry/measures.ts";
import { Budget } from "./budget.ts";
import { ensured } from "./ensured.ts";
import { type BrokerStatus, Guarded } from "./guarded.ts";
import { Outbox, type OutboxOptions } from "./outbox.ts";
import { type Publishing, type PublishRequest, publish } from "./publish.ts";
import { type SubscriptionStatus, Supervised } from "./supervise.ts";
import { Wanted } from "./wanted.ts";

/** One component, opened, and what the configuration says of it. */
export interface Source {
  readonly pubsub: PubSub;
  /** The group that the app reads in: `consumerID`, by default the app's id. */
  readonly group: string;
}

export interface EngineOptions extends OutboxOptions {
  /** Most bytes of publishes that wait for their brokers, of all components together. */
  readonly publishBuffer: number;
  /** The largest message an app may publish, in bytes. A broker may allow less. */
  readonly maxMessageBytes: number;
  /** Most calls to the app at once, a subscription. */
  readonly maxInFlight: number;
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

/** A subscription that the configuration declares: its group exists from the start, and the app need not ask for it (D16). */
export interface DeclaredSubscription extends AppSubscription {
  /** Default: the component's. */
  readonly group?: string;
  /** Where a new group begins. Default: `earliest`. */
  readonly start?: Start;
  /** Instead of the engine's own, for this subscription. */
  readonly maxInFlight?: number;
  readonly maxPending?: number;
}

/** What happens, for those who write it down. Called synchronously; must not throw. */
export interface EngineEvents {
  subscribed(subscription: AppSubscription): void;
  unsubscribed(subscription: AppSubscription): void;
  /** A broker came up, went, or is refused. */
  broker(pubsub: string, status: BrokerStatus): void;
  /** The app asks for a component that is not there: nothing can be read for it. */
  unknownPubSub(subscription: AppSubscription): void;
  /** The app could not be asked what it wants, with the reason; or it could again. */
  appUnanswered(reason: string | undefined): void;
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
  readonly #declared = new Set<string>();
  readonly #ensuring = new AbortController();
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
    this.#brokers = new Map(
      [...sources].map(([name, { pubsub }]) => [name, new Guarded(pubsub, clock, (status) => events.broker(name, status))]),
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
    for (const subscription of remembered) this.#ensure(subscription);
    if (!this.#channel || this.#sources.size === 0) return;
    for (const subscription of declared) {
      this.#declared.add(keyOf(subscription));
      this.#open(subscription);
    }
    this.#wanted = new Wanted(this.#channel, this.#clock, {
      added: (subscription) => this.#declared.has(keyOf(subscription)) || this.#open(subscription),
      removed: (subscription) => this.#remove(subscription),
      unanswered: (reason) => this.#events.appUnanswered(reason),
    });
  }

  get brokers(): ReadonlyMap<string, BrokerStatus> {
    return new Map([...this.#brokers].map(([name, broker]) => [name, broker.status]));
  }

  get subscriptions(): readonly NamedStatus[] {
    return [...this.#subscriptions.values()].map(({ pubsub, supervised }) => ({ pubsub, ...supervised.status }));
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
    await Promise.all([...this.#subscriptions.values()].map(({ supervised }) => supervised.close(signal)));
  }

  /** After `drain`: fails what still waits to be published, and closes the components. */
  async close(signal: AbortSignal): Promise<void> {
    for (const { outbox } of this.#publishing.values()) outbox.close();
    this.#channel?.close();
    await Promise.all([...this.#brokers.values()].map((broker) => broker.close(signal)));
  }

  #publishingTo(name: string, pubsub: Guarded): Publishing {
    const measures = this.measures.of(name);
    const outbox = new Outbox(pubsub, this.#budget, this.#clock, this.#options, measures);
    return { pubsub, maxBytes: this.#options.maxMessageBytes, outbox, measures };
  }

  #open(subscription: DeclaredSubscription): void {
    const request = this.#request(subscription);
    const broker = this.#brokers.get(subscription.pubsub);
    if (!request || !broker || !this.#channel) {
      this.#events.unknownPubSub(subscription);
      return;
    }
    const { pubsub, metadata, maxInFlight = this.#options.maxInFlight, maxPending = this.#options.maxPending } = subscription;
    const rawPayload = metadata.rawPayload?.toLowerCase() === "true";
    const options = { pubsub, maxInFlight, maxPending, maxPendingBytes: this.#options.maxPendingBytes, rawPayload };
    const measures = this.measures.of(pubsub);
    const measured = { counts: measures.reading(request.topic, request.group), processSeconds: measures.processSeconds };
    const supervised = new Supervised(broker, request, this.#channel, this.#clock, options, measured);
    this.#subscriptions.set(subscription, { pubsub, supervised });
    this.#orphans.delete(keyOf(subscription));
    this.#events.subscribed(subscription);
  }

  #ensure(subscription: AppSubscription): void {
    const request = this.#request(subscription);
    const broker = this.#brokers.get(subscription.pubsub);
    if (!request || !broker) return;
    void ensured(broker, request, this.#clock, this.#ensuring.signal, (error) =>
      this.#events.trouble(`the group ${request.group} of ${request.topic} in ${subscription.pubsub} cannot be made: ${error.message}`),
    );
  }

  #request({ pubsub, topic, group, start = "earliest", metadata }: DeclaredSubscription): SubscribeRequest | undefined {
    const source = this.#sources.get(pubsub);
    return source && { topic, group: group ?? source.group, start, order: "none", options: metadata };
  }

  #remove(subscription: AppSubscription): void {
    const entry = this.#subscriptions.get(subscription);
    if (!entry) return;
    this.#subscriptions.delete(subscription);
    const { topic, group } = entry.supervised.status;
    this.#orphans.set(keyOf(subscription), { pubsub: entry.pubsub, topic, group });
    this.#events.unsubscribed(subscription);
    // The group stays at the broker, so nothing is lost if the app asks for it again.
    void entry.supervised.close(AbortSignal.timeout(CLOSE_MS)).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#events.trouble(`closing the subscription to ${subscription.topic} in ${subscription.pubsub}: ${why}`);
    });
  }
}

const CLOSE_MS = 25_000;

function keyOf({ pubsub, topic }: AppSubscription): string {
  return JSON.stringify([pubsub, topic]);
}
