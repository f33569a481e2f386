import type { Clock } from "../pubsub/clock.ts";

/** How long a burst may be, in seconds of the rate: who was idle does not catch up for more. */
const BURST_S = 0.1;

/** A token bucket. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #most: number;
  readonly #clock: Clock;
  readonly #again: () => void;
  #tokens: number;
  #at: number;
  #waiting = false;

  /** `again` is called when somebody who was sent away may come back. */
  constructor(perSecond: number, clock: Clock, again: () => void) {
    this.#perSecond = perSecond;
    this.#most = Math.max(1, perSecond * BURST_S);
    this.#tokens = this.#most;
    this.#clock = clock;
    this.#again = again;
    this.#at = clock.elapsed();
  }

  /** Takes a token, if there is one. */
  go(): boolean {
    if (this.#waiting) return false;
    const now = this.#clock.elapsed();
    this.#tokens = Math.min(this.#most, this.#tokens + ((now - this.#at) * this.#perSecond) / 1_000);
    this.#at = now;
    // Sums of fractions may fall short of the whole by a hair.
    if (this.#tokens < 1 - 1e-6) {
      this.#waiting = true;
      this.#clock.after(((1 - this.#tokens) * 1_000) / this.#perSecond, () => {
        this.#waiting = false;
        this.#again();
      });
      return false;
    }
    this.#tokens -= 1;
    return true;
  }
}
