import type { Delivery } from "../../pubsub/delivery.ts";
import { Window } from "../window.ts";
import { Lanes } from "./lanes.ts";
import type { Lease } from "./lease.ts";
import type { Lent } from "./lent.ts";

/** Whom it lends to. */
export interface Lender {
  deliver(batch: readonly Delivery[]): void;
  /** False: its time is over. Then `gone` follows. */
  isOurs(lease: Lease): boolean;
  /** It is given back, and to be told to SQS. */
  released(lease: Lease): void;
}

/** From what was received to what is lent: what the window does not admit waits, and on a FIFO queue what comes after another of its key. */
export class Lending {
  readonly #lender: Lender;
  readonly #window = new Window();
  readonly #lanes: Lanes | undefined;
  /** Received and not lent yet: the bytes that a call brings are not known before. */
  #held: Lease[] = [];

  constructor(fifo: boolean, lender: Lender) {
    this.#lanes = fifo ? new Lanes() : undefined;
    this.#lender = lender;
  }

  window(messages: number, bytes: number): void {
    this.#window.set(messages, bytes);
  }

  /** How many messages, at most `most`, are worth asking for. */
  room(most: number): number {
    return this.#held.length > 0 ? 0 : this.#window.room(most);
  }

  /** So many, at most `most`, are worth asking for where others are lent. */
  enough(most: number): number {
    return this.#window.lent === 0 ? 1 : Math.min(most, Math.ceil(this.#window.capacity / 4));
  }

  asked(count: number): void {
    this.#window.ask(count);
  }

  answered(count: number): void {
    this.#window.answered(count);
  }

  hold(lease: Lease): void {
    this.#window.seen(lease.size);
    if (this.#lanes?.enter(lease) ?? true) this.#held.push(lease);
    else this.#waits(lease, true);
  }

  lend(): void {
    const batch: Lent[] = [];
    for (let lease = this.#held[0]; lease; lease = this.#held[0]) {
      if (lease.state === "held" && !(this.#window.open && this.#lender.isOurs(lease))) break;
      this.#held.shift();
      if (lease.state !== "held" || !lease.delivery) continue;
      lease.state = "lent";
      lease.counted = true;
      this.#window.lend(lease.size);
      batch.push(lease.delivery);
    }
    if (batch.length > 0) this.#lender.deliver(batch);
    // Who may not lend must not keep from others what came too late for the window.
    if (this.#window.closed) this.giveBackHeld();
  }

  /** What was lent is settled. */
  settled(lease: Lease): void {
    // What is acked and comes again was settled for us before.
    if (!lease.counted) return;
    this.#returned(lease);
    if (lease.state !== "acked") {
      this.#giveBack(this.#lanes?.broken(lease) ?? []);
      return;
    }
    const next = this.#lanes?.passed(lease);
    if (!next) return;
    this.#waits(next, false);
    this.#held.push(next);
  }

  /** It is not ours any more, whether it was lent or not. */
  gone(lease: Lease): void {
    if (lease.counted) this.#returned(lease);
    this.#waits(lease, false);
    this.#giveBack(this.#lanes?.broken(lease) ?? []);
  }

  giveBackHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const lease of held) {
      if (lease.state !== "held") continue;
      this.#release(lease);
      this.#giveBack(this.#lanes?.broken(lease) ?? []);
    }
  }

  /** What was never lent, and never will be. */
  giveBackAll(): void {
    this.giveBackHeld();
    this.#giveBack(this.#lanes?.clear() ?? []);
  }

  /** What waited for another of its key must come after it. */
  #giveBack(behind: readonly Lease[]): void {
    for (const lease of behind) {
      this.#waits(lease, false);
      if (lease.state === "held") this.#release(lease);
    }
  }

  #release(lease: Lease): void {
    lease.become("released");
    this.#lender.released(lease);
  }

  #returned(lease: Lease): void {
    lease.counted = false;
    this.#window.giveBack(lease.size);
  }

  /** What waits for another counts as if it were on its way. */
  #waits(lease: Lease, behind: boolean): void {
    if (lease.behind === behind) return;
    lease.behind = behind;
    if (behind) this.#window.ask(1);
    else this.#window.answered(1);
  }
}
