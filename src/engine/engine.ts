import type { AppChannel, AppSubscription } from "../app/channel.ts";
import type { CatalogueError } from "../errors/catalogue.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { Budget } from "./budget.ts";
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
  /** Most calls to the app at once, a subscription. */
  readonly maxInFlight: number;
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

/** What happens, for those who write it down. Called synchronously; must not throw. */
export interface EngineEvents {
  subscribed(subscription: AppSubscription): void;
  unsubscribed(subscription: AppSubscription): void;
  /** The app asks for a component that is not there: nothing can be read for it. */
  unknownPubSub(subscription: AppSubscription): void;
  /** The app could not be asked what it wants, with the reason; or it could again. */
  appUnanswered(reason: string | undefined): void;
  /** Something went wrong that loses nothing and stops nothing, in words. */
  trouble(what: string): void;
}

/** A subscription's status with the component's name. */
export type NamedStatus = SubscriptionStatus & { readonly pubsub: string };

/** The line from the API to the brokers and from the brokers to the app. It is concrete; brokers and apps are interfaces. */
export class Engine {
  readonly #clock: Clock;
  readonly #options: EngineOptions;
  readonly #events: EngineEvents;
  readonly #sources: ReadonlyMap<string, Source>;
  readonly #channel: AppChannel | undefined;
  readonly #publishing: ReadonlyMap<string, Publishing>;
  readonly #subscriptions = new Map<AppSubscription, { readonly pubsub: string; readonly supervised: Supervised }>();
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
    const budget = new Budget(options.publishBuffer);
    this.#publishing = new Map(
      [...sources].map(([name, { pubsub }]) => [name, { pubsub, outbox: new Outbox(pubsub, budget, clock, options) }]),
    );
  }

  /** `done` is called once: without an error when the broker has the message (D1). */
  publish(request: PublishRequest, done: (error?: CatalogueError) => void): void {
    publish(this.#publishing, request, this.#clock, done);
  }

  /** Starts to ask the app what it wants, and to read that. */
  start(): void {
    if (!this.#channel || this.#sources.size === 0) return;
    this.#wanted = new Wanted(this.#channel, this.#clock, {
      added: (subscription) => this.#add(subscription),
      removed: (subscription) => this.#remove(subscription),
      unanswered: (reason) => this.#events.appUnanswered(reason),
    });
  }

  get subscriptions(): readonly NamedStatus[] {
    return [...this.#subscriptions.values()].map(({ pubsub, supervised }) => ({ pubsub, ...supervised.status }));
  }

  /** Stops reading and lets the calls to the app end; publishes still go through meanwhile (D8). */
  async drain(signal: AbortSignal): Promise<void> {
    this.#wanted?.close();
    await Promise.all([...this.#subscriptions.values()].map(({ supervised }) => supervised.close(signal)));
  }

  /** After `drain`: fails what still waits to be published, and closes the components. */
  async close(signal: AbortSignal): Promise<void> {
    for (const { outbox } of this.#publishing.values()) outbox.close();
    this.#channel?.close();
    await Promise.all([...this.#sources.values()].map(({ pubsub }) => pubsub.close(signal)));
  }

  #add(subscription: AppSubscription): void {
    const source = this.#sources.get(subscription.pubsub);
    if (!source || !this.#channel) {
      this.#events.unknownPubSub(subscription);
      return;
    }
    const { topic, metadata } = subscription;
    const supervised = new Supervised(
      source.pubsub,
      { topic, group: source.group, start: "earliest", order: "none", options: metadata },
      this.#channel,
      this.#clock,
      { ...this.#options, pubsub: subscription.pubsub, rawPayload: metadata.rawPayload?.toLowerCase() === "true" },
    );
    this.#subscriptions.set(subscription, { pubsub: subscription.pubsub, supervised });
    this.#events.subscribed(subscription);
  }

  #remove(subscription: AppSubscription): void {
    const entry = this.#subscriptions.get(subscription);
    if (!entry) return;
    this.#subscriptions.delete(subscription);
    this.#events.unsubscribed(subscription);
    // The group stays at the broker, so nothing is lost if the app asks for it again.
    void entry.supervised.close(AbortSignal.timeout(CLOSE_MS)).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#events.trouble(`closing the subscription to ${subscription.topic} in ${subscription.pubsub}: ${why}`);
    });
  }
}

const CLOSE_MS = 25_000;
