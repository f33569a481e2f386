import type { AppChannel, Verdict } from "../app/channel.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { Delivery } from "../pubsub/delivery.ts";
import type { PubSubError } from "../pubsub/error.ts";
import { FreshMap } from "../pubsub/fresh-map.ts";
import type { Sink, Subscription } from "../pubsub/subscription.ts";
import { type Backoff, waitMs } from "../resiliency/backoff.ts";
import { Histogram, SECONDS } from "../telemetry/histogram.ts";
import { type ReaderCounts, readerCounts } from "../telemetry/measures.ts";
import { consume, sentRaw } from "./consume.ts";
import { Lent } from "./lent.ts";

export interface ReaderOptions {
  /** The component's name, as the app knows it. */
  readonly pubsub: string;
  /** Most calls to the app at once. */
  readonly maxInFlight: number;
  /** The window: most messages and bytes lent at once, backoff included (D3). */
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  /** The subscription asked for the bytes as they are, even if they are a CloudEvent. */
  readonly rawPayload: boolean;
}

/** Where a reader's numbers are kept. They outlive it. */
export interface Measured {
  readonly counts: ReaderCounts;
  readonly processSeconds: Histogram;
}

const RETRY: Backoff = { firstMs: 1_000, mostMs: 60_000, jitter: 0.2 };
/** How long messages are held for an app that is away before others may have them (D4). */
const HOLD_MS = 10_000;
/** How long an app that does not implement the call is left alone. Registering late must not cost a backlog. */
const UNIMPLEMENTED_MS = 5_000;

/**
 * The engine's side of one subscription: takes what the broker lends, calls the app, and settles by its verdict (steps 5 to 8 of a
 * message's life). `use` gives it the subscription to control.
 */
export class Reader implements Sink {
  /** What it has done, and readers of the same group before it. Readable in health. */
  readonly counts: ReaderCounts;
  /** Why nothing is read at the moment. Undefined: running. */
  pausedBecause: string | undefined;
  /** Why the broker gives nothing at the moment. */
  interruptedBecause: string | undefined;
  readonly #channel: AppChannel;
  readonly #clock: Clock;
  readonly #options: ReaderOptions;
  readonly #processSeconds: Histogram;
  readonly #lent = new FreshMap<Delivery, Lent>();
  readonly #unlisten: () => void;
  readonly #onVerdict = (lent: Lent, verdict: Verdict, reason?: string): void => this.#judged(lent, verdict, reason);
  #waiting: Lent[] = [];
  #running = 0;
  #bytes = 0;
  #subscription: Subscription | undefined;
  #draining = false;
  #cancelHold: () => void = () => undefined;
  #idle: (() => void) | undefined;

  constructor(
    channel: AppChannel,
    clock: Clock,
    options: ReaderOptions,
    measured: Measured = { counts: readerCounts(), processSeconds: new Histogram(SECONDS) },
  ) {
    this.#channel = channel;
    this.#clock = clock;
    this.#options = options;
    this.counts = measured.counts;
    this.#processSeconds = measured.processSeconds;
    this.#unlisten = channel.onReachable((reachable) => (reachable ? this.#resume() : this.#pause("the app cannot be reached")));
    if (!channel.reachable) this.pausedBecause = "the app cannot be reached";
  }

  get inFlight(): number {
    return this.#running;
  }

  get pending(): number {
    return this.#lent.size;
  }

  /** Why nothing more is read although the app has room: what is lent is all waiting for another try (D3). Undefined: there is room. */
  get fullBecause(): string | undefined {
    if (!this.#full || this.#waiting.length > 0 || this.#running >= this.#options.maxInFlight) return undefined;
    return `the window is full: ${this.#lent.size} messages of ${this.#bytes} bytes are with the app or wait for another try`;
  }

  use(subscription: Subscription): void {
    this.#subscription = subscription;
    this.#openWindow();
  }

  deliver(batch: readonly Delivery[]): void {
    this.interruptedBecause = undefined;
    for (const delivery of batch) {
      const event = consume(delivery, this.#options.pubsub, this.#options.rawPayload);
      if (event.raw && !this.#options.rawPayload && !sentRaw(delivery)) this.counts.undecodable += 1;
      const lent = new Lent(delivery, event, this.#onVerdict);
      this.#lent.set(delivery, lent);
      this.#bytes += delivery.data.length;
      const early = (delivery.notBefore ?? 0) - this.#clock.now();
      if (early > 0) this.#backOff(lent, early);
      else this.#waiting.push(lent);
    }
    if (this.#draining || this.pausedBecause !== undefined) this.#hold();
    else this.#pump();
  }

  revoking(batch: readonly Delivery[]): Promise<void> {
    for (const delivery of batch.toReversed()) {
      const lent = this.#lent.get(delivery);
      if (lent && lent.state !== "running") this.#release(lent);
    }
    return Promise.resolve();
  }

  lost(batch: readonly Delivery[], error: PubSubError): void {
    this.interruptedBecause = error.message;
    for (const delivery of batch) {
      const lent = this.#lent.get(delivery);
      if (!lent) continue;
      this.counts.lost += 1;
      if (lent.state !== "running") this.#over(lent);
      else this.#forget(lent);
    }
  }

  interrupted(error?: PubSubError): void {
    this.interruptedBecause = error?.message;
  }

  /**
   * Stops reading, gives back what is not with the app (last first), and resolves when the last call has its verdict. When `signal`
   * aborts, what still runs is cancelled and left to its lease (D8).
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    this.#cancelHold();
    this.#unlisten();
    this.#subscription?.window(0, 0);
    this.#releaseAll();
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      const cut = () => {
        for (const lent of this.#lent.values()) if (lent.state === "running") lent.cancel();
        resolve();
      };
      if (signal.aborted) cut();
      else signal.addEventListener("abort", cut, { once: true });
    });
  }

  #pump(): void {
    while (this.#running < this.#options.maxInFlight && this.pausedBecause === undefined && !this.#draining) {
      const lent = this.#waiting.shift();
      if (!lent) return;
      if (lent.state === "waiting") this.#start(lent);
    }
  }

  #start(lent: Lent): void {
    if (lent.event.expiresAt !== undefined && lent.event.expiresAt <= this.#clock.now()) {
      this.counts.expired += 1;
      this.#ack(lent);
      return;
    }
    lent.state = "running";
    this.#running += 1;
    this.counts.delivered += 1;
    lent.startedAt = this.#clock.elapsed();
    lent.cancel = this.#channel.deliver(lent.event, lent);
  }

  #judged(lent: Lent, verdict: Verdict, reason?: string): void {
    this.#running -= 1;
    this.#processSeconds.observe((this.#clock.elapsed() - lent.startedAt) / 1_000);
    if (!this.#lent.has(lent.delivery)) lent.state = "over";
    else if (verdict === "success") this.#ack(lent);
    else if (verdict === "drop") {
      this.counts.dropped += 1;
      this.#ack(lent);
    } else if (verdict === "retry" || verdict === "failed") this.#failed(lent);
    else this.#notTaken(lent, verdict, reason);
    if (this.#draining && this.#running === 0) this.#idle?.();
    this.#pump();
  }

  /** One failure: again after a while, kept here if there is room and else by the broker if it can (D3). */
  #failed(lent: Lent): void {
    lent.failures += 1;
    this.counts.retried += 1;
    const delay = waitMs(RETRY, lent.failures, this.#clock.random());
    if (this.#full && lent.delivery.retry && lent.delivery.key === undefined) {
      lent.delivery.retry(delay, lent.failures);
      this.#over(lent);
      return;
    }
    lent.delivery.keep?.(lent.failures);
    if (this.#draining) this.#release(lent);
    else this.#backOff(lent, delay);
  }

  /** The app never had it: it leads the queue, and counts as nothing (D4). */
  #notTaken(lent: Lent, verdict: "unreachable" | "unimplemented", reason?: string): void {
    if (this.#draining) {
      this.#release(lent);
      return;
    }
    lent.state = "waiting";
    this.#waiting.unshift(lent);
    this.#pause(reason ?? `the app is ${verdict}`);
    if (verdict === "unimplemented" || this.#channel.reachable) this.#clock.after(UNIMPLEMENTED_MS, () => this.#resume());
  }

  #backOff(lent: Lent, delayMs: number): void {
    lent.state = "backoff";
    lent.cancel = this.#clock.after(delayMs, () => {
      lent.state = "waiting";
      this.#waiting.push(lent);
      this.#pump();
    });
  }

  #pause(reason: string): void {
    if (this.#draining) return;
    this.pausedBecause = reason;
    this.#subscription?.window(0, 0);
    this.#hold();
  }

  #hold(): void {
    if (this.#draining) {
      this.#releaseAll();
      return;
    }
    this.#cancelHold();
    this.#cancelHold = this.#clock.after(HOLD_MS, () => this.#releaseAll());
  }

  #resume(): void {
    if (this.#draining || this.pausedBecause === undefined || !this.#channel.reachable) return;
    this.pausedBecause = undefined;
    this.#cancelHold();
    this.#openWindow();
    this.#pump();
  }

  #openWindow(): void {
    if (this.pausedBecause === undefined && !this.#draining) {
      this.#subscription?.window(this.#options.maxPending, this.#options.maxPendingBytes);
    }
  }

  #releaseAll(): void {
    for (const lent of [...this.#lent.values()].reverse()) if (lent.state !== "running") this.#release(lent);
  }

  #release(lent: Lent): void {
    this.counts.released += 1;
    lent.delivery.release();
    this.#over(lent);
  }

  #ack(lent: Lent): void {
    if (lent.delivery.ack()) this.counts.acked += 1;
    this.#over(lent);
  }

  #over(lent: Lent): void {
    if (lent.state === "backoff") lent.cancel();
    lent.state = "over";
    this.#forget(lent);
  }

  #forget(lent: Lent): void {
    if (this.#lent.delete(lent.delivery)) this.#bytes -= lent.delivery.data.length;
  }

  get #full(): boolean {
    return this.#lent.size >= this.#options.maxPending || this.#bytes >= this.#options.maxPendingBytes;
  }
}
