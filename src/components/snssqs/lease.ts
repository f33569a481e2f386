import type { Delivery } from "../../pubsub/delivery.ts";
import type { Entry } from "./entry.ts";

/**
 * `held`: received, not lent yet. `lent`: with the engine. `acked`, `released` and `delayed`: settled, and on the way to SQS. `over`:
 * settled there, or lost.
 */
export type LeaseState = "held" | "lent" | "acked" | "released" | "delayed" | "over";

export interface LeaseKeeper {
  /** False: its time is over. */
  isOurs(lease: Lease): boolean;
  /** The lease was settled. */
  settled(lease: Lease): void;
}

/** SQS lets a message be held no longer, from its receipt. */
const MOST_HOLD_MS = 12 * 3_600_000;

/** A message that was received, and that nobody else gets for now. */
export class Lease implements Delivery {
  readonly topic: string;
  readonly position: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly publishedAt?: number;
  readonly deliveries?: number;
  readonly size: number;
  /** SQS's own name for the message, the same on every receipt. */
  readonly id: string;
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

  constructor(topic: string, id: string, receipt: string, entry: Entry, counted: Counted, since: number, keeper: LeaseKeeper) {
    this.topic = topic;
    this.id = id;
    this.receipt = receipt;
    this.position = entry.position;
    this.data = entry.data;
    this.attributes = entry.attributes;
    if (entry.key !== undefined) this.key = entry.key;
    if (counted.publishedAt !== undefined) this.publishedAt = counted.publishedAt;
    if (counted.deliveries !== undefined) this.deliveries = counted.deliveries;
    this.size = entry.size;
    this.until = since + counted.leaseMs;
    this.last = since + MOST_HOLD_MS;
    this.#keeper = keeper;
  }

  /** It was received again: SQS thought that our time was over, or delivers twice, as it may. */
  receivedAgain(receipt: string, since: number, leaseMs: number): void {
    this.receipt = receipt;
    this.until = since + leaseMs;
    this.last = since + MOST_HOLD_MS;
  }

  ack(): boolean {
    return this.#settle("acked");
  }

  release(): boolean {
    return this.#settle("released");
  }

  retry(delayMs: number): boolean {
    this.delay = delayMs;
    return this.#settle("delayed");
  }

  #settle(state: LeaseState): boolean {
    if (this.state !== "lent" || !this.#keeper.isOurs(this)) return false;
    this.state = state;
    this.#keeper.settled(this);
    return true;
  }
}

export interface Counted {
  readonly publishedAt: number | undefined;
  readonly deliveries: number | undefined;
  readonly leaseMs: number;
}
