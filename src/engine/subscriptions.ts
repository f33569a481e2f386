import type { AppCalls, AppChannel, AppSubscription } from "../app/channel.ts";
import type { Capabilities } from "../pubsub/capabilities.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { Reading } from "../pubsub/component.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Backlog, Order, SubscribeRequest } from "../pubsub/subscription.ts";
import type { DeliveryPolicy } from "../resiliency/policy.ts";
import type { Measures } from "../telemetry/measures.ts";
import { allEnded } from "./all-ended.ts";
import type { DeadLetterTarget } from "./dead-letter.ts";
import { ensured } from "./ensured.ts";
import type { Publishing } from "./publish.ts";
import type { Shared } from "./reader-options.ts";
import { type DeclaredSubscription, subscriptionOptions } from "./subscription-options.ts";
import { type SubscriptionStatus, Supervised } from "./supervise.ts";
import { Wanted, type WantedChanges } from "./wanted.ts";

const CLOSE_MS = 25_000;

/** What happens while we read, for those who write it down. Called synchronously; must not throw. */
export interface SubscriptionEvents {
  /** It is read from now on: because it is `declared`, or because the app asked for it. */
  subscribed(subscription: AppSubscription, declared: boolean): void;
  unsubscribed(subscription: AppSubscription): void;
  /** The app asks for a component that is none of these: nothing can be read for it. */
  unknownPubSub(subscription: AppSubscription, known: readonly string[]): void;
  /** The app could not be asked what it wants, with the reason; or it could again. */
  appUnanswered(reason: string | undefined): void;
  /** Leases of a subscription were lost, with the reason: the messages come again, here or elsewhere. */
  lost(subscription: AppSubscription, messages: number, reason: string): void;
  /** A message of a subscription failed, with the event's id and the reason: it comes again, or becomes a dead letter. Called for each, at any rate. */
  failed(subscription: AppSubscription, id: string, reason: string): void;
  /** A message of a subscription became a dead letter, with the event's id and the reason. */
  deadLettered(subscription: AppSubscription, id: string, reason: string): void;
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

/** A component as it is read. */
export interface Readable extends Publishing {
  /** The group that the app reads in. */
  readonly group: string;
  /** How it is read, where a subscription does not say it. */
  readonly reading: Reading;
}

export interface SubscriptionsGround {
  readonly components: ReadonlyMap<string, Readable>;
  /** Undefined: there is no app to read for. */
  readonly channel: AppChannel | undefined;
  readonly clock: Clock;
  /** How messages are handed to the app, unless a subscription says otherwise. */
  readonly delivery: DeliveryPolicy;
  readonly shared: Shared;
  readonly measures: Measures;
  readonly events: SubscriptionEvents;
}

/** All that is read for the app: what is declared, and what the app asks for. */
export class Subscriptions {
  readonly #ground: SubscriptionsGround;
  readonly #declared = new Set<string>();
  readonly #ensuring = new AbortController();
  readonly #open = new Map<AppSubscription, { readonly pubsub: string; readonly supervised: Supervised }>();
  /** Readers that are being closed while others go on. */
  readonly #closing = new Set<Promise<void>>();
  /** What the app wants otherwise than before, and is opened once its old reader is closed. */
  readonly #anew = new Map<string, AppSubscription>();
  readonly #orphans = new Map<string, Orphan>();
  #wanted: Wanted | undefined;

  constructor(ground: SubscriptionsGround) {
    this.#ground = ground;
  }

  /** See `Engine.start`. */
  start(declared: readonly DeclaredSubscription[], remembered: readonly AppSubscription[]): void {
    const { channel, clock, components, events } = this.#ground;
    const known = new Set(declared.map(keyOf));
    // What is declared is opened below, with all that its group must be from the beginning.
    for (const subscription of remembered) if (!known.has(keyOf(subscription))) this.#ensure(subscription);
    if (!channel || components.size === 0) return;
    for (const subscription of declared) {
      this.#declared.add(keyOf(subscription));
      this.#begin(subscription, channel);
    }
    const changes: WantedChanges = {
      added: (subscription) => this.#declared.has(keyOf(subscription)) || this.#begin(subscription),
      changed: (before, subscription) => this.#declared.has(keyOf(subscription)) || this.#beginAnew(before, subscription),
      removed: (subscription) => this.#declared.has(keyOf(subscription)) || this.#remove(subscription),
      unanswered: (reason) => events.appUnanswered(reason),
    };
    this.#wanted = new Wanted(channel, clock, changes, remembered);
  }

  get statuses(): readonly NamedStatus[] {
    return [...this.#open.values()].map(({ pubsub, supervised }) => ({ pubsub, ...supervised.status }));
  }

  get orphans(): readonly Orphan[] {
    return [...this.#orphans.values()];
  }

  /** What waits at the brokers, for each subscription whose broker says it before `signal` aborts. */
  async backlogs(signal: AbortSignal): Promise<readonly (Backlog & Orphan)[]> {
    const asked = [...this.#open.values()].map(async ({ pubsub, supervised }) => {
      const { topic, group } = supervised.status;
      const backlog = await supervised.backlog(signal);
      return backlog ? [{ pubsub, topic, group, ...backlog }] : [];
    });
    return (await Promise.all(asked)).flat();
  }

  /** Stops reading and lets the calls to the app end. */
  async close(signal: AbortSignal): Promise<void> {
    this.#ensuring.abort();
    this.#wanted?.close();
    await allEnded([...[...this.#open.values()].map(({ supervised }) => supervised.close(signal)), ...this.#closing]);
  }

  #begin(subscription: DeclaredSubscription, channel: AppCalls | undefined = this.#wanted?.channelOf(subscription)): void {
    const { clock, components, delivery, events, measures, shared } = this.#ground;
    const { pubsub, topic } = subscription;
    const component = components.get(pubsub);
    const defaults = { ...delivery, ...(component && maxInFlightOf(component.reading)) };
    const own = subscriptionOptions(subscription, defaults, component?.pubsub.capabilities.defaultOrder);
    const refused = (reason: string): void => events.trouble(`the subscription to ${topic} in ${pubsub} is refused: ${reason}`);
    if (typeof own === "string") {
      refused(own);
      return;
    }
    if (!component || !channel) {
      events.unknownPubSub(subscription, [...components.keys()]);
      return;
    }
    const { deadLetterTopic, ...more } = own;
    const request = requestOf(subscription, component, own.order);
    const deadLetters = deadLetterTopic === undefined ? undefined : this.#deadLetters(deadLetterTopic, component, request);
    const told = {
      refused,
      failed: (id: string, reason: string): void => events.failed(subscription, id, reason),
      deadLettered: (id: string, reason: string): void => events.deadLettered(subscription, id, reason),
      lost: (messages: number, reason: string): void => events.lost(subscription, messages, reason),
    };
    const { capabilities } = component.pubsub;
    const policy = heldBy(capabilities, own.policy);
    const options = { pubsub, group: request.group, deadLetters, ...told, ...more, policy, maxDelayMs: capabilities.maxDelayMs };
    const of = measures.of(pubsub);
    const measured = { counts: of.reading(request.topic, request.group), processSeconds: of.processSeconds };
    events.subscribed(subscription, this.#declared.has(keyOf(subscription)));
    const supervised = new Supervised(component.pubsub, request, channel, clock, options, shared, measured);
    this.#open.set(subscription, { pubsub, supervised });
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
    const own = subscriptionOptions(subscription, this.#ground.delivery);
    const component = this.#ground.components.get(subscription.pubsub);
    // What is refused is told when it is opened.
    if (typeof own === "string" || !component) return;
    const request = requestOf(subscription, component, own.order);
    this.#exists(component.pubsub, request.topic, [request]);
  }

  #exists(broker: PubSub, topic: string, groups: readonly SubscribeRequest[]): void {
    const { clock, events } = this.#ground;
    void ensured(broker, topic, groups, clock, this.#ensuring.signal, (error) =>
      events.trouble(`${[topic, ...groups.map(({ group }) => `with the group ${group}`)].join(" ")} cannot be made: ${error.message}`),
    );
  }

  /** The group stays at the broker, so nothing is lost if the app asks for it again. It may have no reader: when it is only remembered. */
  #remove(subscription: AppSubscription): void {
    const { pubsub, topic } = subscription;
    this.#anew.delete(keyOf(subscription));
    const component = this.#ground.components.get(pubsub);
    if (component) this.#orphans.set(keyOf(subscription), { pubsub, topic, group: requestOf(subscription, component).group });
    this.#ground.events.unsubscribed(subscription);
    void this.#end(subscription);
  }

  /** The app wants it otherwise. The old reader settles what it has first, or its messages would be lent to both. */
  #beginAnew(before: AppSubscription, subscription: AppSubscription): void {
    const key = keyOf(subscription);
    const waits = this.#anew.has(key);
    this.#anew.set(key, subscription);
    if (waits) return;
    void this.#end(before).then(() => {
      const wanted = this.#anew.get(key);
      this.#anew.delete(key);
      if (wanted && !this.#ensuring.signal.aborted) this.#begin(wanted);
    });
  }

  /** Resolves when its reader is closed, or could not be. */
  #end(subscription: AppSubscription): Promise<void> {
    const entry = this.#open.get(subscription);
    if (!entry) return Promise.resolve();
    this.#open.delete(subscription);
    const closing = entry.supervised
      .close(AbortSignal.timeout(CLOSE_MS))
      .catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.#ground.events.trouble(`closing the subscription to ${subscription.topic} in ${subscription.pubsub}: ${why}`);
      })
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    return closing;
  }
}

function requestOf({ topic, group, start, metadata }: DeclaredSubscription, component: Readable, order: Order = "none"): SubscribeRequest {
  const from = start ?? component.reading.start ?? "earliest";
  return { topic, group: group ?? component.group, start: from, order, options: metadata };
}

function maxInFlightOf({ maxInFlight }: Reading): Pick<DeliveryPolicy, "maxInFlight"> | undefined {
  return maxInFlight === undefined ? undefined : { maxInFlight };
}

/** No call may take longer than the broker lets us hold its message (D5). */
function heldBy({ hold }: Capabilities, policy: DeliveryPolicy): DeliveryPolicy {
  return typeof hold === "number" ? { ...policy, processingTimeoutMs: Math.min(policy.processingTimeoutMs, hold) } : policy;
}

function keyOf({ pubsub, topic }: AppSubscription): string {
  return JSON.stringify([pubsub, topic]);
}
