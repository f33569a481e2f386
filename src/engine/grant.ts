import type { Budget } from "./budget.ts";

/** What every subscription may hold, whatever the others do. */
const BASE_BYTES = 64 * 1024;

/** How many bytes one subscription may have lent: little at first, more as it uses that, as long as the budget that all share has some left (D7). */
export class Grant {
  readonly #budget: Budget;
  readonly #base: number;
  readonly #most: number;
  #bytes: number;

  constructor(budget: Budget, most: number) {
    this.#budget = budget;
    this.#most = most;
    this.#base = Math.min(BASE_BYTES, most);
    this.#bytes = this.#base;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get grown(): boolean {
    return this.#bytes > this.#base;
  }

  /** `used` bytes are lent. True: it is larger now. */
  grow(used: number): boolean {
    if (this.#bytes >= this.#most || used * 2 < this.#bytes) return false;
    const more = Math.min(this.#most - this.#bytes, Math.max(this.#bytes, used));
    if (more > this.#budget.limit - this.#budget.used || !this.#budget.take(more)) return false;
    this.#bytes += more;
    return true;
  }

  /** No more than `used` bytes were lent. True: it is smaller now. Far below where it grows, or it would do so at once. */
  shrink(used: number): boolean {
    const enough = Math.max(this.#base, used * 4);
    if (this.#bytes <= enough || (enough > this.#base && this.#bytes < enough * 2)) return false;
    this.#budget.giveBack(this.#bytes - enough);
    this.#bytes = enough;
    return true;
  }
}
