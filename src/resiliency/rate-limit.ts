import type { Clock } from "../pubsub/clock.ts";

/** How long a burst may be, in seconds of the rate: who was idle does not catch up for more. */
const BURST_S = 0.1;
/** Sums of fractions may fall short of the whole by a hair. */
const HAIR = 1e-6;

/** A token bucket. */
export class RateLimit {
  readonly perSecond: number;
  readonly #most: number;
  readonly #clock: Pick<Clock, "elapsed" | "after">;
  readonly #again: () => void;
  #tokens: number;
  #at: number;
  #waiting = false;

  /** `again` is called when somebody who was sent away may come back. */
  constructor(perSecond: number, clock: Pick<Clock, "elapsed" | "after">, again: () => void) {
    this.perSecond = perSecond;
    this.#most = Math.max(1, perSecond * BURST_S);
    this.#tokens = this.#most;
    this.#clock = clock;
    this.#again = again;
    this.#at = clock.elapsed();
  }

  /** Somebody was sent away, and may not come back yet. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** Takes a token, if there is one. */
  go(): boolean {
    return this.take(1) === 1;
  }

  /** Takes so many tokens, or as many as there are, and returns their number. None: sent away. */
  take(wanted: number): number {
    if (this.#waiting) return 0;
    const taken = Math.min(wanted, this.#available());
    this.#tokens -= taken;
    if (taken === 0) this.#later();
    return taken;
  }

  /** They were not needed. */
  giveBack(tokens: number): void {
    this.#tokens = Math.min(this.#most, this.#tokens + tokens);
  }

  #available(): number {
    const now = this.#clock.elapsed();
    this.#tokens = Math.min(this.#most, this.#tokens + ((now - this.#at) * this.perSecond) / 1_000);
    this.#at = now;
    return Math.floor(this.#tokens + HAIR);
  }

  #later(): void {
    this.#waiting = true;
    this.#clock.after(((1 - this.#tokens) * 1_000) / this.perSecond, () => {
      this.#waiting = false;
      this.#again();
    });
  }
}
