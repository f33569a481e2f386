import type { Delivery } from "../../pubsub/delivery.ts";
import { Window } from "../window.ts";
import type { Lease } from "./lease.ts";

/** Whom it lends to. */
export interface Lender {
  deliver(batch: readonly Delivery[]): void;
  /** It was never lent, and the broker is to give it again. */
  giveBack(lease: Lease): void;
}

/**
 * From what was received to what is lent: what the window does not admit waits. In an ordered group nothing that waits passes by a message of its queue
 * that is to come again: it goes back too, and comes again behind it.
 */
export class Lending {
  readonly #lender: Lender;
  readonly #ordered: boolean;
  readonly #window = new Window();
  #held: Lease[] = [];

  constructor(ordered: boolean, lender: Lender) {
    this.#ordered = ordered;
    this.#lender = lender;
  }

  window(messages: number, bytes: number): void {
    this.#window.set(messages, bytes);
  }

  /** Nothing may be lent for now. */
  get paused(): boolean {
    return this.#window.closed;
  }

  /** Something waits. */
  get holds(): boolean {
    return this.#held.length > 0;
  }

  /** How many messages, at most `most`, are worth asking for. */
  room(most: number): number {
    return this.holds ? 0 : this.#window.room(most);
  }

  /** The size of a message that came, whatever becomes of it. */
  seen(size: number): void {
    this.#window.seen(size);
  }

  hold(lease: Lease): void {
    this.#held.push(lease);
  }

  lend(): void {
    const batch: Lease[] = [];
    while (this.#held[0] && this.#window.open) {
      const lease = this.#held.shift() as Lease;
      lease.state = "lent";
      this.#window.lend(lease.size);
      batch.push(lease);
    }
    if (batch.length > 0) this.#lender.deliver(batch);
  }

  /** It was lent, and is not any more. */
  back(lease: Lease): void {
    this.#window.giveBack(lease.size);
  }

  /** It is to come again, whether it was lent or not. */
  broken(lease: Lease): void {
    if (!this.holds) return;
    const passes = ({ queue }: Lease): boolean => this.#ordered && lease.key !== undefined && queue === lease.queue;
    const behind = this.#held.filter((one) => one !== lease && passes(one));
    this.#held = this.#held.filter((one) => one !== lease && !passes(one));
    for (const one of behind) this.#lender.giveBack(one);
  }

  giveBackAll(): void {
    const held = this.#held;
    this.#held = [];
    for (const lease of held.reverse()) this.#lender.giveBack(lease);
  }
}
