import type { Clock } from "../pubsub/clock.ts";
import type { Subscription } from "../pubsub/subscription.ts";
import type { Budget } from "./budget.ts";
import { Grant } from "./grant.ts";

/** How often a grant of memory is looked at, whether it is needed. */
const REVIEW_MS = 1_000;

/** What one subscription may have lent, and what it has (D3, D7). */
export class Window {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #grant: Grant;
  #subscription: Subscription | undefined;
  #messages = 0;
  #bytes = 0;
  #open = false;
  #reviewing = false;
  /** The most bytes there were at once since the last review. */
  #peak = 0;

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
    if (this.#bytes > this.#peak) this.#peak = this.#bytes;
  }

  /** After a batch was lent: who uses what he has may have more. */
  grow(): void {
    if (!this.#grant.grow(this.#bytes)) return;
    if (this.#open) this.open();
    this.#reviewLater();
  }

  settled(bytes: number): void {
    this.#messages -= 1;
    this.#bytes -= bytes;
  }

  /** For good. */
  end(): void {
    this.#grant.shrink(0);
  }

  /** One message that stays must not keep what a thousand others needed. */
  #reviewLater(): void {
    if (this.#reviewing) return;
    this.#reviewing = true;
    this.#clock.after(REVIEW_MS, () => {
      this.#reviewing = false;
      const shrunk = this.#grant.shrink(this.#peak);
      this.#peak = this.#bytes;
      if (shrunk && this.#open) this.open();
      if (this.#grant.grown) this.#reviewLater();
    });
  }
}
