import type { Clock } from "../pubsub/clock.ts";
import { type BreakerState, CircuitBreaker } from "../resiliency/circuit-breaker.ts";
import type { PublishPolicy } from "../resiliency/policy.ts";
import { RateLimit } from "../resiliency/rate-limit.ts";
import type { Call } from "./call.ts";
import { BreakerOpen, RateExceeded } from "./refusals.ts";

/** How a component's breaker stands, in the words that health shows. */
export interface BreakerStatus {
  readonly state: BreakerState;
  /** Why it is not closed. Empty when it is. */
  readonly reason: string;
}

/** A rate that has held nothing back for so long is not why somebody waits. At most half a publish's time. */
const HELD_BACK_MS = 1_000;

/** What one component's publishes must pass on their way to the broker: its breaker and its rate. */
export class Gate {
  /** While the breaker is open, every publish fails with it. */
  refusal: BreakerOpen | undefined;
  readonly #breaker: CircuitBreaker | undefined;
  readonly #rate: RateLimit | undefined;
  readonly #clock: Pick<Clock, "elapsed" | "after">;
  readonly #heldBackMs: number;
  /** Calls from before say nothing of how the broker is since. */
  #openedAt = Number.NEGATIVE_INFINITY;
  /** When the rate let less pass than there was. */
  #heldBackAt = Number.NEGATIVE_INFINITY;
  #reason = "";

  /** `goOn` is called when the rate lets more pass. When the breaker lets a call pass nothing waits: all was turned away. */
  constructor(policy: PublishPolicy, clock: Pick<Clock, "elapsed" | "after">, goOn: () => void) {
    this.#breaker = policy.breaker && new CircuitBreaker(policy.breaker);
    this.#rate = policy.rate === undefined ? undefined : new RateLimit(policy.rate, clock, goOn);
    this.#heldBackMs = Math.min(HELD_BACK_MS, policy.timeoutMs / 2);
    this.#clock = clock;
  }

  /** Undefined: there is no breaker. */
  get breaker(): BreakerStatus | undefined {
    return this.#breaker && { state: this.#breaker.state, reason: this.#reason };
  }

  /** Most messages of the next call, of so many that there is room for, beside the calls under way. What is not used is given back. */
  take(room: number, underWay: Iterable<Call>): number {
    if (this.#breaker?.halfOpen) for (const call of underWay) if (this.#isSince(call)) return 0;
    if (!this.#rate) return room;
    const taken = this.#rate.take(room);
    if (taken < room) this.#heldBackAt = this.#clock.elapsed();
    return taken;
  }

  giveBack(messages: number): void {
    this.#heldBackAt = Number.NEGATIVE_INFINITY;
    this.#rate?.giveBack(messages);
  }

  /** A call of the broker ended. Returns the refusal of all that waits, if the breaker opened. */
  ended(call: Call): BreakerOpen | undefined {
    const breaker = this.#breaker;
    if (!breaker || !this.#isSince(call)) return undefined;
    const error = call.failure;
    if (!error) {
      breaker.succeeded();
      this.#reason = "";
      return undefined;
    }
    if (!breaker.failed()) return undefined;
    const { failures, pauseMs } = breaker.policy;
    this.#reason = `${failures} calls of the broker in a row failed, the last with: ${error.message}`;
    this.refusal = new BreakerOpen(this.#reason, pauseMs);
    this.#openedAt = this.#clock.elapsed();
    this.#clock.after(pauseMs, () => {
      this.refusal = undefined;
      breaker.probe();
    });
    return this.refusal;
  }

  /** Why one that waited was not even tried, if it was not for the broker. */
  get late(): RateExceeded | undefined {
    if (!this.#rate) return undefined;
    const heldBack = this.#rate.waiting || this.#clock.elapsed() - this.#heldBackAt < this.#heldBackMs;
    return heldBack ? new RateExceeded(this.#rate.perSecond) : undefined;
  }

  #isSince({ startedAt }: Call): boolean {
    return startedAt > this.#openedAt;
  }
}
