import type { Entry } from "./entry.ts";
import { type Counted, Lent, type Settled, type Settling } from "./lent.ts";

/**
 * `held`: received, not lent yet. `lent`: with the engine. `acked`, `released` and `delayed`: settled, and on the way to SQS. `over`:
 * settled there, or lost.
 */
export type LeaseState = "held" | "lent" | Settled | "over";

export interface LeaseKeeper {
  /** False: its time is over. */
  isOurs(lease: Lease): boolean;
  /** The lease was settled. */
  settled(lease: Lease): void;
}

/** SQS lets a message be held no longer, from its receipt. */
const MOST_HOLD_MS = 12 * 3_600_000;

/** That a message was received, and that nobody else gets it for now. */
export class Lease implements Settling {
  /** SQS's own name for the message, the same on every receipt. */
  readonly id: string;
  readonly key: string | undefined;
  readonly size: number;
  readonly publishedAt: number | undefined;
  /** What is lent. Undefined: it is settled, and its bytes are no business of ours any more. */
  delivery: Lent | undefined;
  state: LeaseState = "held";
  /** What settles it: that of the newest receipt. */
  receipt: string;
  /** Until then, by the monotonic clock, it is nobody else's. */
  until: number;
  /** Until then it can be prolonged. */
  last: number;
  /** Whether it stands in the window. */
  counted = false;
  /** Whether it waits for another of its key. */
  behind = false;
  /** How long it is not to be lent again, once it is `delayed`. Milliseconds. */
  delay = 0;
  readonly #keeper: LeaseKeeper;

  constructor(
    topic: string,
    id: string,
    receipt: string,
    entry: Entry,
    counted: Counted,
    since: number,
    leaseMs: number,
    keeper: LeaseKeeper,
  ) {
    this.id = id;
    this.receipt = receipt;
    this.key = entry.key;
    this.size = entry.size;
    this.publishedAt = counted.publishedAt;
    this.until = since + leaseMs;
    this.last = since + MOST_HOLD_MS;
    this.#keeper = keeper;
    this.delivery = new Lent(topic, entry, counted, this);
  }

  /** It was received again: SQS thought that our time was over, or delivers twice, as it may. */
  receivedAgain(receipt: string, since: number, leaseMs: number): void {
    this.receipt = receipt;
    this.until = since + leaseMs;
    this.last = since + MOST_HOLD_MS;
  }

  settle(as: Settled, delayMs = 0): boolean {
    if (this.state !== "lent" || !this.#keeper.isOurs(this)) return false;
    this.delay = delayMs;
    this.become(as);
    this.#keeper.settled(this);
    return true;
  }

  /** Not to be lent, or not any more. */
  become(state: Settled): void {
    this.state = state;
    this.delivery = undefined;
  }
}
