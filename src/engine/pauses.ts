import type { AppCalls } from "../app/channel.ts";
import type { Clock } from "../pubsub/clock.ts";
import { CircuitBreaker } from "../resiliency/circuit-breaker.ts";
import type { BreakerPolicy } from "../resiliency/policy.ts";

/** How long messages are held for an app that is away before others may have them (D4). */
const HOLD_MS = 10_000;

/** What a pause does to its subscription. */
export interface Paused {
  /** Nothing more is to be read. */
  paused(): void;
  resumed(): void;
  /** What is not with the app goes back to the broker, and is called by others meanwhile. */
  giveBack(): void;
}

/** When and why one subscription does not call the app: it is away, does not want the topic or take events, or fails all that it gets. */
export class Pauses {
  /** Undefined: it runs. */
  because: string | undefined;
  readonly #channel: AppCalls;
  readonly #clock: Clock;
  readonly #breaker: CircuitBreaker | undefined;
  readonly #subject: Paused;
  readonly #unlisten: () => void;
  #cancelHold: () => void = () => undefined;
  #over = false;

  constructor(channel: AppCalls, clock: Clock, breaker: BreakerPolicy | undefined, subject: Paused) {
    this.#channel = channel;
    this.#clock = clock;
    this.#breaker = breaker && new CircuitBreaker(breaker);
    this.#subject = subject;
    this.because = channel.awayBecause;
    this.#unlisten = channel.onReachable(() => {
      const because = channel.awayBecause;
      if (because === undefined) this.#resume();
      else this.pause(because);
      // At once: a message that may have killed the app would keep all its other subscriptions waiting.
      if (channel.unwanted && !this.#over) subject.giveBack();
    });
  }

  /** It was left alone, and gets one call at a time until one does not fail. */
  get probing(): boolean {
    return this.#breaker?.halfOpen ?? false;
  }

  pause(reason: string): void {
    if (this.#over) return;
    this.because = reason;
    this.#subject.paused();
    this.hold();
  }

  /** For so long at most: then it is tried again. */
  pauseFor(ms: number, reason: string): void {
    this.pause(reason);
    this.#clock.after(ms, () => this.#resume());
  }

  /** What is held now is given back after a while. */
  hold(): void {
    this.#cancelHold();
    this.#cancelHold = this.#clock.after(HOLD_MS, () => this.#subject.giveBack());
  }

  succeeded(): void {
    this.#breaker?.succeeded();
  }

  failed(): void {
    const breaker = this.#breaker;
    if (!breaker?.failed()) return;
    const { failures, pauseMs } = breaker.policy;
    this.pause(`${failures} calls in a row failed: the app is left alone for ${pauseMs} ms`);
    this.#clock.after(pauseMs, () => {
      breaker.probe();
      this.#resume();
    });
  }

  /** No further pause, and no end of one. */
  end(): void {
    this.#over = true;
    this.#cancelHold();
    this.#unlisten();
  }

  #resume(): void {
    if (this.#over || this.because === undefined || !this.#channel.reachable || this.#breaker?.open) return;
    this.because = undefined;
    this.#cancelHold();
    this.#subject.resumed();
  }
}
