import type { BreakerPolicy } from "./policy.ts";

/** In the words of everybody's breakers: `closed` lets all through. */
export const BREAKER_STATES = ["closed", "open", "half-open"] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

/** Counts failures in a row. Open: nobody is called. Then one call at a time, until one does not fail. */
export class CircuitBreaker {
  readonly policy: BreakerPolicy;
  #state: BreakerState = "closed";
  #failures = 0;

  constructor(policy: BreakerPolicy) {
    this.policy = policy;
  }

  get state(): BreakerState {
    return this.#state;
  }

  get open(): boolean {
    return this.#state === "open";
  }

  get halfOpen(): boolean {
    return this.#state === "half-open";
  }

  /** A call failed. True: from now on it is open. */
  failed(): boolean {
    this.#failures += 1;
    if (this.open || (!this.halfOpen && this.#failures < this.policy.failures)) return false;
    this.#state = "open";
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    if (!this.open) this.#state = "closed";
  }

  /** The pause is over. */
  probe(): void {
    this.#state = "half-open";
  }
}
