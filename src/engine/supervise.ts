import type { AppCalls } from "../app/channel.ts";
import { aborted } from "../pubsub/abort.ts";
import type { Clock } from "../pubsub/clock.ts";
import { PubSubError } from "../pubsub/error.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Backlog, Order, SubscribeRequest, Subscription } from "../pubsub/subscription.ts";
import { unkept } from "../pubsub/unkept.ts";
import { type Backoff, waitMs } from "../resiliency/backoff.ts";
import type { ReaderCounts } from "../telemetry/measures.ts";
import { Reader } from "./deliver.ts";
import type { Measured, ReaderOptions, Shared } from "./reader-options.ts";

/** How often a reader is looked at; one that stalls twice in a row is made anew. */
const WATCH_MS = 30_000;
const BACKLOG_MS = 5_000;
const REOPEN: Backoff = { firstMs: 100, mostMs: 5_000 };
/** A reader that lived so long had been working: what ends it is new. */
const STEADY_MS = 10_000;

/** How a subscription is doing, in the words that health shows. */
export interface SubscriptionStatus {
  readonly topic: string;
  readonly group: string;
  readonly state: "starting" | "running" | "paused" | "degraded" | "closed";
  /** Why it is not running. Empty when it is. */
  readonly reason: string;
  readonly inFlight: number;
  readonly pending: number;
  /** The most that may be pending. */
  readonly window: number;
  readonly order: Order;
  /** How often its reader was made anew because it stalled. */
  readonly rebuilt: number;
  readonly counts: Readonly<ReaderCounts>;
}

/** Keeps one subscription open: a broker that is absent or gone is asked for ever, and a reader that died is made again (D9). */
export class Supervised {
  readonly #pubsub: PubSub;
  readonly #request: SubscribeRequest;
  readonly #reader: Reader;
  readonly #clock: Clock;
  readonly #window: number;
  readonly #refused: ReaderOptions["refused"];
  /** The reason that was told last. */
  #told: string | undefined;
  #subscription: Subscription | undefined;
  #problem: string | undefined = "not yet asked";
  #failures = 0;
  #openedAt = 0;
  #cancelRetry: () => void = () => undefined;
  #cancelWatch: () => void = () => undefined;
  #rebuilt = 0;
  #opening: Promise<void> = Promise.resolve();
  #closed = false;
  /** Nobody waits for what opens late. */
  #left = false;

  constructor(
    pubsub: PubSub,
    request: SubscribeRequest,
    channel: AppCalls,
    clock: Clock,
    options: ReaderOptions,
    shared?: Shared,
    measured?: Measured,
  ) {
    this.#pubsub = pubsub;
    this.#request = request;
    this.#clock = clock;
    this.#window = options.policy.maxPending;
    this.#refused = options.refused;
    this.#reader = new Reader(channel, clock, options, shared, measured);
    this.#opening = this.#open();
    this.#watchLater(undefined);
  }

  get status(): SubscriptionStatus {
    const reader = this.#reader;
    const [state, reason] = this.#state();
    const { topic, group, order } = this.#request;
    const { inFlight, pending, counts } = reader;
    return { topic, group, order, state, reason, inFlight, pending, window: this.#window, rebuilt: this.#rebuilt, counts };
  }

  /** What waits for the group at the broker. Undefined: the broker cannot say, or not now. */
  async backlog(signal: AbortSignal): Promise<Backlog | undefined> {
    try {
      return await this.#subscription?.backlog?.(signal);
    } catch (error) {
      if (error instanceof PubSubError) return undefined;
      throw error;
    }
  }

  /** Drains, flushes, closes. When `signal` aborts, what is unsettled is left to its lease (D8). */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelRetry();
    this.#cancelWatch();
    await this.#reader.drain(signal);
    await Promise.race([this.#opening, aborted(signal)]);
    this.#left = true;
    await this.#subscription?.close(signal);
  }

  #state(): readonly [SubscriptionStatus["state"], string] {
    if (this.#closed) return ["closed", ""];
    if (this.#problem !== undefined) return ["starting", this.#problem];
    if (this.#reader.interruptedBecause !== undefined) return ["degraded", this.#reader.interruptedBecause];
    if (this.#reader.pausedBecause !== undefined) return ["paused", this.#reader.pausedBecause];
    return this.#reader.degradedBecause === undefined ? ["running", ""] : ["degraded", this.#reader.degradedBecause];
  }

  async #open(): Promise<void> {
    try {
      checkOrder(this.#request.order, this.#pubsub);
      const subscription = await this.#pubsub.subscribe(this.#request, this.#reader);
      this.#subscription = subscription;
      this.#problem = undefined;
      this.#openedAt = this.#clock.elapsed();
      this.#reader.interrupted();
      if (!this.#closed) this.#reader.use(subscription);
      void subscription.closed.then((error) => this.#ended(error));
      if (this.#left) this.#hangUp(subscription);
    } catch (error) {
      if (!(error instanceof PubSubError)) throw error;
      this.#ended(error);
    }
  }

  /** A reader that gets nothing although messages wait is made anew. One that does so beside others, who have them, loses nothing by that where readers share all. */
  #watchLater(stalledAt: number | undefined): void {
    this.#cancelWatch = this.#clock.after(WATCH_MS, () => {
      const { delivered } = this.#reader.counts;
      const idle = this.#subscription !== undefined && this.#state()[0] === "running" && this.#reader.pending === 0;
      if (!idle) this.#watchLater(undefined);
      else void this.#look(delivered, stalledAt === delivered);
    });
  }

  async #look(delivered: number, again: boolean): Promise<void> {
    const subscription = this.#subscription;
    const backlog = await this.backlog(AbortSignal.timeout(BACKLOG_MS));
    if (this.#closed) return;
    const waiting = backlog?.here ?? backlog?.messages ?? 0;
    const stalls = waiting > 0 && this.#reader.counts.delivered === delivered && this.#reader.pending === 0;
    this.#watchLater(stalls && !again ? delivered : undefined);
    if (!stalls || !again || subscription !== this.#subscription) return;
    this.#rebuilt += 1;
    if (subscription) this.#hangUp(subscription);
  }

  /** It ends through `closed`, in time or not. */
  #hangUp(subscription: Subscription): void {
    subscription.close(AbortSignal.timeout(BACKLOG_MS)).catch((error: unknown) => {
      if (!(error instanceof PubSubError)) throw error;
    });
  }

  #ended(error: PubSubError | undefined): void {
    if (this.#closed) return;
    if (this.#subscription && this.#clock.elapsed() - this.#openedAt >= STEADY_MS) {
      this.#failures = 0;
      this.#told = undefined;
    }
    this.#subscription = undefined;
    this.#problem = error?.message ?? "the reader ended";
    this.#failures += 1;
    if (error?.permanent && this.#told !== error.message) {
      this.#told = error.message;
      this.#refused?.(error.message);
    }
    this.#cancelRetry = this.#clock.after(waitMs(REOPEN, this.#failures, this.#clock.random()), () => {
      this.#opening = this.#open();
    });
  }
}

/** An order that cannot be kept is not promised. */
function checkOrder(order: Order, { capabilities }: PubSub): void {
  const why = unkept(order, capabilities.ordering);
  if (why) throw new PubSubError("failed_precondition", `order: ${order} cannot be kept: ${why}`, { permanent: true });
}
