import type { AppChannel } from "../app/channel.ts";
import type { Clock } from "../pubsub/clock.ts";
import { PubSubError } from "../pubsub/error.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Backlog, SubscribeRequest, Subscription } from "../pubsub/subscription.ts";
import { type Backoff, waitMs } from "../resiliency/backoff.ts";
import type { ReaderCounts } from "../telemetry/measures.ts";
import { type Measured, Reader, type ReaderOptions } from "./deliver.ts";

const REOPEN: Backoff = { firstMs: 100, mostMs: 5_000, jitter: 0.2 };

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
  readonly counts: Readonly<ReaderCounts>;
}

/** Keeps one subscription open: a broker that is absent or gone is asked for ever, and a reader that died is made again (D9). */
export class Supervised {
  readonly #pubsub: PubSub;
  readonly #request: SubscribeRequest;
  readonly #reader: Reader;
  readonly #clock: Clock;
  readonly #window: number;
  #subscription: Subscription | undefined;
  #problem: string | undefined = "not yet asked";
  #failures = 0;
  #cancelRetry: () => void = () => undefined;
  #opening: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(pubsub: PubSub, request: SubscribeRequest, channel: AppChannel, clock: Clock, options: ReaderOptions, measured?: Measured) {
    this.#pubsub = pubsub;
    this.#request = request;
    this.#clock = clock;
    this.#window = options.maxPending;
    this.#reader = new Reader(channel, clock, options, measured);
    this.#opening = this.#open();
  }

  get status(): SubscriptionStatus {
    const reader = this.#reader;
    const [state, reason] = this.#state();
    const { topic, group } = this.#request;
    return { topic, group, state, reason, inFlight: reader.inFlight, pending: reader.pending, window: this.#window, counts: reader.counts };
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
    await this.#reader.drain(signal);
    await this.#opening;
    await this.#subscription?.close(signal);
  }

  #state(): readonly [SubscriptionStatus["state"], string] {
    if (this.#closed) return ["closed", ""];
    if (this.#problem !== undefined) return ["starting", this.#problem];
    if (this.#reader.interruptedBecause !== undefined) return ["degraded", this.#reader.interruptedBecause];
    if (this.#reader.pausedBecause !== undefined) return ["paused", this.#reader.pausedBecause];
    return this.#reader.fullBecause === undefined ? ["running", ""] : ["degraded", this.#reader.fullBecause];
  }

  async #open(): Promise<void> {
    try {
      const subscription = await this.#pubsub.subscribe(this.#request, this.#reader);
      this.#subscription = subscription;
      this.#problem = undefined;
      this.#failures = 0;
      this.#reader.interrupted();
      if (!this.#closed) this.#reader.use(subscription);
      void subscription.closed.then((error) => this.#ended(error));
    } catch (error) {
      if (!(error instanceof PubSubError)) throw error;
      this.#ended(error);
    }
  }

  #ended(error: PubSubError | undefined): void {
    if (this.#closed) return;
    this.#subscription = undefined;
    this.#problem = error?.message ?? "the reader ended";
    this.#failures += 1;
    this.#cancelRetry = this.#clock.after(waitMs(REOPEN, this.#failures, this.#clock.random()), () => {
      this.#opening = this.#open();
    });
  }
}
