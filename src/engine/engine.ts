import type { AppChannel, AppSubscription } from "../app/channel.ts";
import type { CatalogueError } from "../errors/catalogue.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { Reading } from "../pubsub/component.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Backlog } from "../pubsub/subscription.ts";
import { type Own, withOwn } from "../resiliency/own.ts";
import type { DeliveryPolicy, PublishPolicy } from "../resiliency/policy.ts";
import { Measures } from "../telemetry/measures.ts";
import { allEnded } from "./all-ended.ts";
import { Budget } from "./budget.ts";
import { Flight } from "./flight.ts";
import type { BreakerStatus } from "./gate.ts";
import { type BrokerStatus, Guarded } from "./guarded.ts";
import { Outbox, type OutboxOptions } from "./outbox.ts";
import { type PublishRequest, publish } from "./publish.ts";
import type { DeclaredSubscription } from "./subscription-options.ts";
import { type NamedStatus, type Orphan, type Readable, type SubscriptionEvents, Subscriptions } from "./subscriptions.ts";

/** One component, opened, and what the configuration says of it. */
export interface Source {
  readonly pubsub: PubSub;
  /** The group that the app reads in: `consumerID`, by default the app's id. */
  readonly group: string;
  /** How it is read, where a subscription does not say it. */
  readonly reading?: Reading;
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
export interface EngineEvents extends SubscriptionEvents {
  /** A broker came up, went, or is refused; or what was found of it has changed. */
  broker(pubsub: string, status: BrokerStatus, before: BrokerStatus): void;
}

/** The line from the API to the brokers and from the brokers to the app. It is concrete; brokers and apps are interfaces. */
export class Engine {
  /** What happened so far, in numbers. */
  readonly measures: Measures;
  readonly #clock: Clock;
  readonly #channel: AppChannel | undefined;
  readonly #brokers = new Map<string, Guarded>();
  readonly #components = new Map<string, Readable>();
  readonly #budget: Budget;
  readonly #memory: Budget;
  readonly #subscriptions: Subscriptions;

  /** Without a channel there is no app to call, and the engine only publishes. */
  constructor(
    sources: ReadonlyMap<string, Source>,
    channel: AppChannel | undefined,
    clock: Clock,
    options: EngineOptions,
    events: EngineEvents,
  ) {
    this.#channel = channel;
    this.#clock = clock;
    this.measures = new Measures(sources.keys());
    this.#budget = new Budget(options.publishBuffer);
    this.#memory = new Budget(options.deliveryBuffer);
    for (const [name, { pubsub, group, reading = {}, publish: own = {} }] of sources) {
      const broker = new Guarded(pubsub, clock, (status, before) => events.broker(name, status, before));
      const measures = this.measures.of(name);
      const outbox = new Outbox(broker, this.#budget, clock, withOwn(options.publish, own), options, measures);
      this.#brokers.set(name, broker);
      this.#components.set(name, { pubsub: broker, group, reading, maxBytes: options.maxMessageBytes, outbox, measures });
    }
    this.#subscriptions = new Subscriptions({
      components: this.#components,
      channel,
      clock,
      delivery: options.delivery,
      shared: { flight: new Flight(), memory: this.#memory },
      measures: this.measures,
      events,
    });
  }

  /** Takes the first look at every broker. Rejects when one refuses us for good, such as a file that another process owns; an absent one is waited for (D9). */
  async look(): Promise<void> {
    await Promise.all([...this.#brokers.values()].map((broker) => broker.start()));
  }

  /** `done` is called once: without an error when the broker has the message (D1). */
  publish(request: PublishRequest, done: (error?: CatalogueError) => void): void {
    publish(this.#components, request, this.#clock, done);
  }

  /**
   * Reads what is declared, and starts to ask the app what it wants beside it. The groups of what the app wanted when it was last asked,
   * `remembered`, are made to exist at once: they must not miss what is published before the app is back (D16).
   */
  start(declared: readonly DeclaredSubscription[], remembered: readonly AppSubscription[]): void {
    this.#subscriptions.start(declared, remembered);
  }

  get brokers(): ReadonlyMap<string, BrokerStatus> {
    return new Map([...this.#brokers].map(([name, broker]) => [name, broker.status]));
  }

  /** Of the components that have one. */
  get breakers(): ReadonlyMap<string, BreakerStatus> {
    return new Map([...this.#components].flatMap(([name, { outbox }]) => (outbox.breaker ? [[name, outbox.breaker]] : [])));
  }

  get subscriptions(): readonly NamedStatus[] {
    return this.#subscriptions.statuses;
  }

  /** Bytes that subscriptions may have lent beyond the first few kilobytes of each, and the most there may be. */
  get deliveryBuffer(): { readonly used: number; readonly limit: number } {
    return { used: this.#memory.used, limit: this.#memory.limit };
  }

  /** Bytes of publishes that wait for their brokers, and the most there may be. */
  get publishBuffer(): { readonly used: number; readonly limit: number } {
    return { used: this.#budget.used, limit: this.#budget.limit };
  }

  /** What waits at the brokers, for each subscription whose broker says it before `signal` aborts. */
  backlogs(signal: AbortSignal): Promise<readonly (Backlog & Orphan)[]> {
    return this.#subscriptions.backlogs(signal);
  }

  get orphans(): readonly Orphan[] {
    return this.#subscriptions.orphans;
  }

  /** Stops reading and lets the calls to the app end; publishes still go through meanwhile (D8). */
  drain(signal: AbortSignal): Promise<void> {
    return this.#subscriptions.close(signal);
  }

  /** After `drain`: fails what still waits to be published, and closes the components. */
  async close(signal: AbortSignal): Promise<void> {
    for (const { outbox } of this.#components.values()) outbox.close();
    this.#channel?.close();
    await allEnded([...this.#brokers.values()].map((broker) => broker.close(signal)));
  }
}
