import type { AppCalls, Verdict } from "../app/channel.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { Delivery } from "../pubsub/delivery.ts";
import type { PubSubError } from "../pubsub/error.ts";
import type { Sink, Subscription } from "../pubsub/subscription.ts";
import type { DeliveryPolicy } from "../resiliency/policy.ts";
import { RateLimit } from "../resiliency/rate-limit.ts";
import { Histogram, SECONDS } from "../telemetry/histogram.ts";
import { type ReaderCounts, readerCounts } from "../telemetry/measures.ts";
import { Budget } from "./budget.ts";
import { consume, sentRaw } from "./consume.ts";
import { Flight } from "./flight.ts";
import { laneOf } from "./lanes.ts";
import { Lent } from "./lent.ts";
import { isOut, Loans } from "./loans.ts";
import { Pauses } from "./pauses.ts";
import type { Measured, ReaderOptions, Shared } from "./reader-options.ts";
import { Settling } from "./settle.ts";
import { MOST_DEATHS, Suspects } from "./suspects.ts";
import { Window } from "./window.ts";

/** How long an app that does not implement the call is left alone. Registering late must not cost a backlog. */
const UNIMPLEMENTED_MS = 5_000;

/**
 * The engine's side of one subscription: takes what the broker lends, calls the app, and hands its verdict to `settle.ts` (steps 5 to 7 of a
 * message's life). `use` gives it the subscription to control.
 */
export class Reader implements Sink {
  /** What it has done, and readers of the same group before it. Readable in health. */
  readonly counts: ReaderCounts;
  /** Why the broker gives nothing at the moment. */
  interruptedBecause: string | undefined;
  readonly #channel: AppCalls;
  readonly #clock: Clock;
  readonly #options: ReaderOptions;
  readonly #policy: DeliveryPolicy;
  readonly #flight: Flight;
  readonly #processSeconds: Histogram;
  readonly #window: Window;
  readonly #loans: Loans;
  readonly #suspects: Suspects;
  readonly #settling: Settling;
  readonly #pauses: Pauses;
  readonly #rate: RateLimit | undefined;
  readonly #leaveFlight: () => void;
  readonly #onVerdict = (lent: Lent, verdict: Verdict, reason?: string, code?: string): void => this.#judged(lent, verdict, reason, code);
  #waiting: Lent[] = [];
  #running = 0;
  #draining = false;
  #idle: (() => void) | undefined;

  constructor(
    channel: AppCalls,
    clock: Clock,
    options: ReaderOptions,
    shared: Shared = { flight: new Flight(), memory: new Budget(Number.POSITIVE_INFINITY) },
    measured: Measured = { counts: readerCounts(), processSeconds: new Histogram(SECONDS) },
  ) {
    const { policy } = options;
    this.#channel = channel;
    this.#clock = clock;
    this.#options = options;
    this.#policy = policy;
    this.#flight = shared.flight;
    this.#suspects = new Suspects(shared.flight);
    this.#window = new Window(clock, policy.maxPending, policy.maxPendingBytes, shared.memory);
    this.#loans = new Loans(this.#window);
    this.#rate = policy.rate === undefined ? undefined : new RateLimit(policy.rate, clock, () => this.#pump());
    this.counts = measured.counts;
    this.#processSeconds = measured.processSeconds;
    this.#leaveFlight = shared.flight.join(() => this.#pump());
    this.#pauses = new Pauses(channel, clock, policy.breaker, {
      paused: () => this.#window.close(),
      resumed: () => {
        this.#window.open();
        this.#pump();
      },
      giveBack: () => this.#releaseAll(),
    });
    const held = { window: this.#window, loans: this.#loans, suspects: this.#suspects, pauses: this.#pauses };
    this.#settling = new Settling(clock, options, held, this.counts, {
      ready: (lent) => this.#ready(lent),
      backOff: (lent, delayMs) => this.#backOff(lent, delayMs),
      goOn: () => this.#goOn(),
    });
    if (!this.pausedBecause) this.#window.open();
  }

  /** Why nothing is read at the moment. Undefined: running. */
  get pausedBecause(): string | undefined {
    return this.#pauses.because;
  }

  get inFlight(): number {
    return this.#running;
  }

  get pending(): number {
    return this.#loans.size;
  }

  /** Why it does not do all that it should, although it reads. Undefined: it does. */
  get degradedBecause(): string | undefined {
    if (this.#settling.trouble !== undefined) return this.#settling.trouble;
    if (!this.#window.full || this.#waiting.length > 0 || this.#running >= this.#policy.maxInFlight) return undefined;
    return `the window is full: ${this.#window.held} are with the app or wait for another try`;
  }

  use(subscription: Subscription): void {
    this.#window.use(subscription);
  }

  deliver(batch: readonly Delivery[]): void {
    this.interruptedBecause = undefined;
    for (const delivery of batch) this.#take(delivery);
    this.#window.grow();
    if (this.#draining) this.#releaseAll();
    else if (this.pausedBecause !== undefined) this.#pauses.hold();
    else this.#pump();
  }

  /** What is not with the app is given back; what is may end, until the deadline. */
  revoking(batch: readonly Delivery[], deadline: AbortSignal): Promise<void> {
    const out: Lent[] = [];
    for (const delivery of batch.toReversed()) {
      const lent = this.#loans.of(delivery);
      if (lent && isOut(lent)) out.push(lent);
      else if (lent) this.#settling.release(lent);
    }
    if (out.length === 0 || deadline.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      let left = out.length;
      const leaving = () => {
        left -= 1;
        if (left === 0) resolve();
      };
      for (const lent of out) lent.leaving = leaving;
      deadline.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  lost(batch: readonly Delivery[], error: PubSubError): void {
    this.#options.lost?.(batch.length, error.message);
    const lost = batch.flatMap((delivery) => this.#loans.of(delivery) ?? []);
    for (const lent of lost) {
      this.counts.lost += 1;
      this.#loans.lose(lent);
      if (lent.state !== "running") this.#settling.over(lent);
    }
    // Nobody may pass by what is not settled, and that is no longer here.
    for (const { lane } of lost) if (lane !== undefined) for (const lent of this.#loans.idle(lane)) this.#settling.release(lent);
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
    this.#pauses.end();
    this.#leaveFlight();
    this.#window.close();
    this.#settling.drain();
    this.#releaseAll();
    if (this.#busy)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
        const cut = () => {
          for (const lent of this.#loans.running) this.#cut(lent);
          resolve();
        };
        if (signal.aborted) cut();
        else signal.addEventListener("abort", cut, { once: true });
      });
    this.#window.end();
  }

  #take(delivery: Delivery): void {
    if (this.#loans.joins(delivery)) return;
    const event = consume(delivery, this.#options.pubsub, this.#options.rawPayload);
    if (event.raw && !this.#options.rawPayload && !sentRaw(delivery)) this.counts.undecodable += 1;
    const lent = new Lent(delivery, event, laneOf(this.#options.order, delivery.key), this.#settling.failuresOf(delivery), this.#onVerdict);
    if (this.#loans.add(lent)) this.#ready(lent);
  }

  /** It is its turn, as far as its lane is concerned. */
  #ready(lent: Lent): void {
    const deaths = this.#suspects.recognized(lent);
    const { notBefore } = lent.delivery;
    const early = notBefore === undefined ? 0 : notBefore - this.#clock.now();
    if (deaths !== undefined) {
      lent.deaths = deaths;
      this.#suspects.add(lent);
    } else if (early > 0) this.#backOff(lent, early);
    else {
      lent.state = "waiting";
      this.#waiting.push(lent);
    }
  }

  #pump(): void {
    while (this.pausedBecause === undefined && !this.#draining && this.#running < this.#most) {
      const suspicious = this.#flight.suspicious;
      if (this.#rate && (suspicious || this.#waiting.length > 0) && !this.#rate.go()) return;
      const lent = suspicious ? this.#suspects.next() : this.#waiting.shift();
      if (!lent) return;
      if (lent.state === "waiting") this.#start(lent);
    }
  }

  get #most(): number {
    return this.#pauses.probing ? 1 : this.#policy.maxInFlight;
  }

  #start(lent: Lent): void {
    const { event } = lent;
    if (event.expiresAt !== undefined && event.expiresAt <= this.#clock.now()) {
      this.#settling.expired(lent);
      return;
    }
    if (this.#settling.failedBefore(lent)) return;
    lent.state = "running";
    this.#running += 1;
    this.#flight.began();
    this.counts.delivered += 1;
    lent.startedAt = this.#clock.elapsed();
    lent.cancel = this.#channel.deliver(event, lent, this.#policy.processingTimeoutMs);
  }

  #judged(lent: Lent, verdict: Verdict, reason?: string, code?: string): void {
    this.#landed(lent);
    this.#processSeconds.observe((this.#clock.elapsed() - lent.startedAt) / 1_000);
    if (!this.#loans.has(lent)) this.#settling.over(lent);
    else if (verdict === "success") this.#settling.processed(lent);
    else if (verdict === "drop") this.#settling.dropped(lent);
    else if (verdict === "retry" || verdict === "failed") this.#settling.failed(lent, reason ?? "the app answered RETRY", code);
    else this.#notTaken(lent, verdict, reason);
    if (this.#flight.suspicious) this.#flight.goOn();
    this.#goOn();
  }

  #goOn(): void {
    if (this.#draining && !this.#busy) this.#idle?.();
    this.#pump();
  }

  get #busy(): boolean {
    return this.#running > 0 || this.#settling.underWay > 0;
  }

  #landed(lent: Lent): void {
    this.#running -= 1;
    this.#flight.ended();
    lent.cancel = () => undefined;
  }

  /** Nobody waits for its verdict any more. */
  #cut(lent: Lent): void {
    lent.cancel();
    this.#landed(lent);
    lent.state = "over";
    this.#suspects.leave(lent);
    if (this.#flight.suspicious) this.#flight.goOn();
  }

  /** The app never had it, or was lost with it: it leads the queue, and counts as nothing (D4). */
  #notTaken(lent: Lent, verdict: "unreachable" | "lost" | "unimplemented", reason?: string): void {
    if (verdict === "lost" && lent.suspect) {
      lent.deaths += 1;
      if (lent.deaths >= MOST_DEATHS) {
        lent.deaths = 0;
        this.#settling.failed(lent, `the app was lost ${MOST_DEATHS} times while it had this message alone`);
        return;
      }
    }
    if (verdict === "lost") this.#suspects.add(lent);
    if (this.#draining || lent.leaving) {
      this.#settling.release(lent);
      return;
    }
    if (!lent.suspect) this.#waiting.unshift(lent);
    else if (verdict !== "lost") this.#suspects.add(lent);
    lent.state = "waiting";
    const why = reason ?? `the app is ${verdict}`;
    if (verdict === "unimplemented" || this.#channel.reachable) this.#pauses.pauseFor(UNIMPLEMENTED_MS, why);
    else this.#pauses.pause(why);
  }

  /** No longer than it lives: what expires makes room at once. */
  #backOff(lent: Lent, delayMs: number): void {
    const { expiresAt } = lent.event;
    const lives = expiresAt === undefined ? delayMs : Math.max(0, expiresAt - this.#clock.now());
    lent.state = "backoff";
    lent.cancel = this.#clock.after(Math.min(delayMs, lives), () => {
      lent.state = "waiting";
      this.#waiting.push(lent);
      this.#pump();
    });
  }

  #releaseAll(): void {
    for (const lent of this.#loans.idle()) this.#settling.release(lent);
  }
}
