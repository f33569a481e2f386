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

  /** Back to the base. */
  shrink(): void {
    this.#budget.giveBack(this.#bytes - this.#base);
    this.#bytes = this.#base;
  }
}
