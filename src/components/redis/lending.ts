import type { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Sink } from "../../pubsub/subscription.ts";
import { Window } from "../window.ts";
import type { Reply } from "./connection.ts";
import { decodeEntry } from "./entry.ts";
import { compareIds } from "./id.ts";
import type { Lease, LeaseKeeper } from "./lease.ts";
import { Leases } from "./leases.ts";
import type { Member } from "./member.ts";
import { Moving } from "./moving.ts";
import { Settlements } from "./settlements.ts";

/** Whom it lends to, and who is told. */
export interface Lender {
  readonly sink: Sink;
  /** What is released comes again from us, at its place: nobody else may have it before what came after it comes back too. */
  readonly takesBack: boolean;
  /** These were lent, and are no longer ours. */
  lost(leases: readonly Lease[], error: PubSubError): void;
  /** There may be room again, or something to lend. */
  goOn(): void;
  /** Settlements leave in this turn of the event loop. */
  settling(): void;
  /** Something was acknowledged. */
  touched(): void;
}

/** From what was read to what is settled: holds what the window does not admit, lends, and keeps what is lent until it is settled. */
export class Lending implements LeaseKeeper {
  readonly leases: Leases;
  readonly settlements: Settlements;
  readonly #window = new Window();
  readonly #moving: Moving;
  readonly #inOrder: boolean;
  readonly #lender: Lender;
  /** Read and not lent yet, because the window was smaller than a read. */
  #held: Lease[] = [];
  /** Something was taken back in this turn of the event loop, and what belongs before it may follow. */
  #gathering = false;

  /** `inOrder`: lends in the order of the stream, whatever the order in which it gets something to hold. */
  constructor(member: Member, inOrder: boolean, lender: Lender) {
    this.#inOrder = inOrder;
    this.#lender = lender;
    this.leases = new Leases(member, this.#window, (lost, error) => {
      if (lost.length > 0) lender.lost(lost, error);
      this.#held = this.#held.filter(({ state }) => state === "held");
      lender.goOn();
    });
    this.settlements = new Settlements(member, this.leases, () => lender.settling());
    this.#moving = new Moving(member, this.leases, (lease) => this.#moved(lease));
  }

  window(messages: number, bytes: number): void {
    this.#window.set(messages, bytes);
  }

  /** Nothing may be lent for now. */
  get paused(): boolean {
    return this.#window.closed;
  }

  /** There is something to lend. */
  get holds(): boolean {
    return this.#held.length > 0;
  }

  /** Nothing is lent. */
  get idle(): boolean {
    return this.#window.lent === 0;
  }

  /** How many messages, at most `most`, are worth reading now. */
  room(most: number): number {
    return this.#held.length > 0 || this.#gathering ? 0 : this.#window.room(most);
  }

  /** `row` as XREADGROUP and XRANGE give it. What is known already is not held twice. */
  hold(row: readonly Reply[], failures: number, since: number): void {
    const entry = decodeEntry(row);
    if (this.leases.get(entry.position)) return;
    this.#window.seen(entry.size);
    this.#put(this.leases.add(entry, failures, since, this));
  }

  lend(): void {
    if (this.#held.length === 0 || this.#gathering) return;
    const batch: Lease[] = [];
    while (this.#held[0] && this.#window.open) {
      const lease = this.#held.shift() as Lease;
      if (lease.state !== "held") continue;
      lease.state = "lent";
      this.#window.lend(lease.size);
      batch.push(lease);
    }
    if (batch.length > 0) this.#lender.sink.deliver(batch);
  }

  changed(lease: Lease): void {
    if (lease.state !== "lent") this.#window.giveBack(lease.size);
    if (lease.state === "acked") this.#lender.touched();
    if (lease.state === "released" && this.#lender.takesBack) this.#takeBack(lease);
    else this.settlements.add(lease);
    this.#lender.goOn();
  }

  move(lease: Lease, copy: Outgoing): void {
    this.#moving.move(lease, copy);
  }

  giveBackHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const lease of held) {
      if (lease.state !== "held") continue;
      lease.state = "released";
      this.settlements.add(lease);
    }
  }

  /** Everything is over. Returns what was lent. */
  clear(): readonly Lease[] {
    this.#held = [];
    return this.leases.clear();
  }

  #moved(lease: Lease): void {
    this.#window.giveBack(lease.size);
    this.leases.remove(lease);
    this.#lender.touched();
    this.#lender.goOn();
  }

  /** Not lent again before the turn of the event loop ends: of several that are released the first must come first. */
  #takeBack(lease: Lease): void {
    const anew = this.leases.renewed(lease, this);
    this.#put(anew);
    // What it recorded may not have left yet.
    if (anew.failures > 0) this.settlements.add(anew);
    if (this.#gathering) return;
    this.#gathering = true;
    setImmediate(() => {
      this.#gathering = false;
      this.#lender.goOn();
    });
  }

  #put(lease: Lease): void {
    let at = this.#held.length;
    if (this.#inOrder) while (at > 0 && compareIds((this.#held[at - 1] as Lease).position, lease.position) > 0) at -= 1;
    if (at === this.#held.length) this.#held.push(lease);
    else this.#held.splice(at, 0, lease);
  }
}
