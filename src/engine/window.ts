import type { Clock } from "../pubsub/clock.ts";
import type { Subscription } from "../pubsub/subscription.ts";
import type { Budget } from "./budget.ts";
import { Grant } from "./grant.ts";

/** A grant of memory that was not needed for so long goes back. */
const IDLE_MS = 1_000;

/** What one subscription may have lent, and what it has (D3, D7). */
export class Window {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #grant: Grant;
  #subscription: Subscription | undefined;
  #messages = 0;
  #bytes = 0;
  #open = false;
  #shrinking = false;

  constructor(clock: Clock, most: number, mostBytes: number, memory: Budget) {
    this.#clock = clock;
    this.#most = most;
    this.#grant = new Grant(memory, mostBytes);
  }

  /**
   * There may be no room for another message. Of bytes the half counts: components count theirs otherwise than we do, and what waits here
   * for another try would keep all others out.
   */
  get full(): boolean {
    return this.#messages >= this.#most || this.#bytes * 2 >= this.#grant.bytes;
  }

  /** In words, for health. */
  get held(): string {
    return `${this.#messages} messages of ${this.#bytes} bytes`;
  }

  use(subscription: Subscription): void {
    this.#subscription = subscription;
    if (this.#open) this.open();
  }

  open(): void {
    this.#open = true;
    this.#subscription?.window(this.#most, this.#grant.bytes);
  }

  close(): void {
    this.#open = false;
    this.#subscription?.window(0, 0);
  }

  lent(bytes: number): void {
    this.#messages += 1;
    this.#bytes += bytes;
  }

  /** After a batch was lent: who uses what he has may have more. */
  grow(): void {
    if (this.#grant.grow(this.#bytes) && this.#open) this.open();
  }

  settled(bytes: number): void {
    this.#messages -= 1;
    this.#bytes -= bytes;
    if (this.#messages === 0 && this.#grant.grown && !this.#shrinking) this.#shrinkSoon();
  }

  /** For good. */
  end(): void {
    this.#grant.shrink();
  }

  #shrinkSoon(): void {
    this.#shrinking = true;
    this.#clock.after(IDLE_MS, () => {
      this.#shrinking = false;
      if (this.#messages > 0) return;
      this.#grant.shrink();
      if (this.#open) this.open();
    });
  }
}
