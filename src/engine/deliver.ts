import type { AppChannel, Verdict } from "../app/channel.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { Delivery } from "../pubsub/delivery.ts";
import type { PubSubError } from "../pubsub/error.ts";
import { FreshMap } from "../pubsub/fresh-map.ts";
import type { Order, Sink, Subscription } from "../pubsub/subscription.ts";
import { type Backoff, waitMs } from "../resiliency/backoff.ts";
import type { DeliveryPolicy } from "../resiliency/policy.ts";
import { RateLimit } from "../resiliency/rate-limit.ts";
import { Histogram, SECONDS } from "../telemetry/histogram.ts";
import { type ReaderCounts, readerCounts } from "../telemetry/measures.ts";
import { Budget } from "./budget.ts";
import { consume, sentRaw } from "./consume.ts";
import { type DeadLetterOutcome, DeadLetters, type DeadLetterTarget } from "./dead-letter.ts";
import { Flight } from "./flight.ts";
import { Lanes, laneOf } from "./lanes.ts";
import { Lent } from "./lent.ts";
import { Pauses } from "./pauses.ts";
import { MOST_DEATHS, Suspects } from "./suspects.ts";
import { Window } from "./window.ts";

export interface ReaderOptions {
  /** The component's name, as the app knows it. */
  readonly pubsub: string;
  readonly group: string;
  readonly order: Order;
  /** The subscription asked for the bytes as they are, even if they are a CloudEvent. */
  readonly rawPayload: boolean;
  readonly policy: DeliveryPolicy;
  /** Where to put what failed too often, or was dropped. Without it, it is tried for ever. */
  readonly deadLetters?: DeadLetterTarget | undefined;
}

/** What the subscriptions of one app share. */
export interface Shared {
  readonly flight: Flight;
  /** What all of them may hold beyond the first few kilobytes of each (D7). */
  readonly memory: Budget;
}

/** Where a reader's numbers are kept. They outlive it. */
export interface Measured {
  readonly counts: ReaderCounts;
  readonly processSeconds: Histogram;
}

/** Waits of messages that failed together are spread, so that they do not come back together. */
const JITTER = 0.2;
const DEAD_LETTER_RETRY: Backoff = { firstMs: 1_000, mostMs: 60_000, jitter: JITTER };
/** How long an app that does not implement the call is left alone. Registering late must not cost a backlog. */
const UNIMPLEMENTED_MS = 5_000;

/**
 * The engine's side of one subscription: takes what the broker lends, calls the app, and settles by its verdict (steps 5 to 8 of a
 * message's life). `use` gives it the subscription to control.
 */
export class Reader implements Sink {
  /** What it has done, and readers of the same group before it. Readable in health. */
  readonly counts: ReaderCounts;
  /** Why the broker gives nothing at the moment. */
  interruptedBecause: string | undefined;
  readonly #channel: AppChannel;
  readonly #clock: Clock;
  readonly #options: ReaderOptions;
  readonly #policy: DeliveryPolicy;
  readonly #flight: Flight;
  readonly #processSeconds: Histogram;
  readonly #lent = new FreshMap<Delivery, Lent>();
  /** Whose lease was lost while they run, by position: should they come again, they join their own call (D5). */
  readonly #leaseless = new Map<string, Lent>();
  readonly #lanes = new Lanes();
  readonly #suspects: Suspects;
  readonly #window: Window;
  readonly #deadLetters: DeadLetters | undefined;
  readonly #pauses: Pauses;
  readonly #rate: RateLimit | undefined;
  readonly #leaveFlight: () => void;
  readonly #onVerdict = (lent: Lent, verdict: Verdict, reason?: string, code?: string): void => this.#judged(lent, verdict, reason, code);
  #waiting: Lent[] = [];
  #running = 0;
  /** Dead letters on their way. */
  #burying = 0;
  #draining = false;
  #idle: (() => void) | undefined;

  constructor(
    channel: AppChannel,
    clock: Clock,
    options: ReaderOptions,
    shared: Shared = { flight: new Flight(), memory: new Budget(Number.POSITIVE_INFINITY) },
    measured: Measured = { counts: readerCounts(), processSeconds: new Histogram(SECONDS) },
  ) {
    const { policy, deadLetters, group } = options;
    this.#channel = channel;
    this.#clock = clock;
    this.#options = options;
    this.#policy = policy;
    this.#flight = shared.flight;
    this.#suspects = new Suspects(shared.flight);
    this.#window = new Window(clock, policy.maxPending, policy.maxPendingBytes, shared.memory);
    this.#deadLetters = deadLetters && new DeadLetters(deadLetters, group, clock);
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
    return this.#lent.size;
  }

  /** Why it does not do all that it should, although it reads. Undefined: it does. */
  get degradedBecause(): string | undefined {
    if (this.#deadLetters?.trouble !== undefined) return this.#deadLetters.trouble;
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

  revoking(batch: readonly Delivery[]): Promise<void> {
    for (const delivery of batch.toReversed()) {
      const lent = this.#lent.get(delivery);
      if (lent && !isOut(lent)) this.#release(lent);
    }
    return Promise.resolve();
  }

  lost(batch: readonly Delivery[], error: PubSubError): void {
    this.interruptedBecause = error.message;
    const lost = batch.flatMap((delivery) => this.#lent.get(delivery) ?? []);
    for (const lent of lost) {
      this.counts.lost += 1;
      this.#forget(lent);
      if (lent.state !== "running") this.#over(lent);
      else if (lent.delivery.position !== undefined) this.#leaseless.set(lent.delivery.position, lent);
    }
    // Nobody may pass by what is not settled, and that is no longer here.
    for (const { lane } of lost) if (lane !== undefined) this.#releaseLane(lane);
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
    this.#releaseAll();
    if (this.#running + this.#burying > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
        const cut = () => {
          for (const lent of this.#lent.values()) if (lent.state === "running") this.#cut(lent);
          resolve();
        };
        if (signal.aborted) cut();
        else signal.addEventListener("abort", cut, { once: true });
      });
    this.#window.end();
  }

  #take(delivery: Delivery): void {
    const { position, data } = delivery;
    const known = position === undefined || this.#leaseless.size === 0 ? undefined : this.#leaseless.get(position);
    if (known && position !== undefined) {
      this.#leaseless.delete(position);
      known.delivery = delivery;
      this.#lent.set(delivery, known);
      this.#window.lent(data.length);
      return;
    }
    const event = consume(delivery, this.#options.pubsub, this.#options.rawPayload);
    if (event.raw && !this.#options.rawPayload && !sentRaw(delivery)) this.counts.undecodable += 1;
    const lent = new Lent(delivery, event, laneOf(this.#options.order, delivery.key), this.#onVerdict);
    this.#lent.set(delivery, lent);
    this.#window.lent(data.length);
    if (lent.lane !== undefined && !this.#lanes.enter(lent.lane, lent)) lent.state = "behind";
    else this.#ready(lent);
  }

  /** It is its turn, as far as its lane is concerned. */
  #ready(lent: Lent): void {
    const deaths = this.#suspects.recognized(lent);
    const early = (lent.delivery.notBefore ?? 0) - this.#clock.now();
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
      this.counts.expired += 1;
      this.#ack(lent);
      return;
    }
    // Its dead letter was not written before the last sidecar ended.
    if (this.#deadLetters && lent.failures >= this.#policy.retry.maxFailures) {
      this.#bury(lent, "it failed too often, before this sidecar had it");
      return;
    }
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
    if (!this.#lent.has(lent.delivery)) {
      if (lent.delivery.position !== undefined) this.#leaseless.delete(lent.delivery.position);
      this.#over(lent);
    } else if (verdict === "success") this.#processed(lent);
    else if (verdict === "drop") this.#dropped(lent);
    else if (verdict === "retry" || verdict === "failed") this.#failed(lent, reason ?? "the app answered RETRY", code);
    else this.#notTaken(lent, verdict, reason);
    if (this.#flight.suspicious) this.#flight.goOn();
    this.#goOn();
  }

  #goOn(): void {
    if (this.#draining && this.#running + this.#burying === 0) this.#idle?.();
    this.#pump();
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

  #processed(lent: Lent): void {
    this.#pauses.succeeded();
    this.#suspects.clear(lent);
    this.#ack(lent);
  }

  #dropped(lent: Lent): void {
    this.#pauses.succeeded();
    this.#suspects.clear(lent);
    this.counts.dropped += 1;
    if (this.#deadLetters) this.#bury(lent, "the app answered DROP");
    else this.#ack(lent);
  }

  /** One failure: again after a while, kept here if there is room and else by the broker if it can (D3). */
  #failed(lent: Lent, reason: string, code?: string): void {
    const { retry } = this.#policy;
    this.#suspects.clear(lent);
    lent.failures += 1;
    lent.firstFailedAt ??= this.#clock.now();
    this.counts.retried += 1;
    this.#pauses.failed();
    const pointless = code !== undefined && retry.permanent.includes(code);
    if (this.#deadLetters && (pointless || lent.failures >= retry.maxFailures)) {
      lent.delivery.keep?.(lent.failures);
      this.#bury(lent, reason);
      return;
    }
    const delay = waitMs({ ...retry, jitter: JITTER }, lent.failures, this.#clock.random());
    // Whoever holds a lane waits here: given back, it would be passed by.
    if (this.#window.full && lent.delivery.retry && lent.lane === undefined) {
      lent.delivery.retry(delay, lent.failures);
      this.#over(lent);
      return;
    }
    lent.delivery.keep?.(lent.failures);
    if (this.#draining) this.#release(lent);
    else this.#backOff(lent, delay);
  }

  /** The app never had it, or was lost with it: it leads the queue, and counts as nothing (D4). */
  #notTaken(lent: Lent, verdict: "unreachable" | "lost" | "unimplemented", reason?: string): void {
    if (verdict === "lost" && lent.suspect) {
      lent.deaths += 1;
      if (lent.deaths >= MOST_DEATHS) {
        lent.deaths = 0;
        this.#failed(lent, `the app was lost ${MOST_DEATHS} times while it had this message alone`);
        return;
      }
    }
    if (verdict === "lost") this.#suspects.add(lent);
    if (this.#draining) {
      this.#release(lent);
      return;
    }
    if (!lent.suspect) this.#waiting.unshift(lent);
    else if (verdict !== "lost") this.#suspects.add(lent);
    lent.state = "waiting";
    const why = reason ?? `the app is ${verdict}`;
    if (verdict === "unimplemented" || this.#channel.reachable) this.#pauses.pauseFor(UNIMPLEMENTED_MS, why);
    else this.#pauses.pause(why);
  }

  #bury(lent: Lent, reason: string, attempt = 1): void {
    lent.state = "dead";
    this.#burying += 1;
    this.#deadLetters?.write(lent, reason, (outcome) => {
      this.#burying -= 1;
      if (lent.state === "dead") this.#buried(lent, outcome, reason, attempt);
      this.#goOn();
    });
  }

  /** Its lease is kept until its dead letter is written, however long that takes (D15). */
  #buried(lent: Lent, outcome: DeadLetterOutcome, reason: string, attempt: number): void {
    if (outcome === "failed") {
      lent.state = "backoff";
      const wait = waitMs(DEAD_LETTER_RETRY, attempt, this.#clock.random());
      if (this.#draining) this.#release(lent);
      else lent.cancel = this.#clock.after(wait, () => this.#bury(lent, reason, attempt + 1));
      return;
    }
    if (outcome !== "over") this.counts.deadLettered += 1;
    if (outcome === "stored") this.#ack(lent);
    else {
      if (outcome === "acked") this.counts.acked += 1;
      this.#over(lent);
    }
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
    for (const lent of [...this.#lent.values()].reverse()) if (!isOut(lent)) this.#release(lent);
  }

  #releaseLane(lane: string): void {
    for (const lent of this.#lanes.members(lane).toReversed()) if (!isOut(lent)) this.#release(lent);
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
    this.#suspects.leave(lent);
    this.#forget(lent);
    if (lent.lane === undefined) return;
    const next = this.#lanes.leave(lent.lane, lent);
    if (next) this.#ready(next);
  }

  #forget(lent: Lent): void {
    if (this.#lent.delete(lent.delivery)) this.#window.settled(lent.delivery.data.length);
  }
}

/** With the app, or on its way to the dead-letter topic: not to be given back now. */
function isOut({ state }: Lent): boolean {
  return state === "running" || state === "dead";
}
