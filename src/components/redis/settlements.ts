import type { PubSubError } from "../../pubsub/error.ts";
import type { Reply } from "./connection.ts";
import { ackLed } from "./lead-scripts.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import { keysOf, type Member } from "./member.ts";
import { ackOwned, mark } from "./scripts.ts";

/** Ids of one XACK or script call. */
const CHUNK = 500;
/** Idle of what was given back: everybody's claim finds it old enough. */
const GIVEN_BACK_MS = 86_400_000;
const RETRY_MS = 1_000;

/**
 * Carries settlements to the server: all that came up since the last round in the next one. One round is under way at a time; one that
 * fails is repeated when the server is back. Repeating is harmless, because each is tied to an id that never comes again.
 */
export class Settlements {
  readonly #member: Member;
  readonly #leases: Leases;
  readonly #sending: () => void;
  #queue = new Set<Lease>();
  #queued = 0;
  #stand = 0;
  #running = false;
  #scheduled = false;
  #cancelRetry: () => void = () => undefined;
  readonly #waiting: { readonly upTo: number; readonly resolve: () => void }[] = [];

  /** `sending`: a round leaves in this turn of the event loop. What else is sent in it leaves in the same write. */
  constructor(member: Member, leases: Leases, sending: () => void) {
    this.#member = member;
    this.#leases = leases;
    this.#sending = sending;
  }

  add(lease: Lease): void {
    this.#queue.add(lease);
    this.#queued += 1;
    this.#soon();
  }

  /** Resolves when all that was added so far stands at the server. */
  flushed(): Promise<void> {
    if (this.#stand === this.#queued) return Promise.resolve();
    this.#soon();
    return new Promise((resolve) => this.#waiting.push({ upTo: this.#queued, resolve }));
  }

  /** The server is back. */
  resume(): void {
    if (this.#queue.size > 0) this.#soon();
  }

  /** What is not at the server yet need not get there any more. */
  drop(): void {
    this.#cancelRetry();
    this.#queue.clear();
    this.#stands(this.#queued);
  }

  /** No further round. */
  stop(): void {
    this.#cancelRetry();
    this.#queue.clear();
  }

  #soon(): void {
    if (this.#scheduled || this.#running) return;
    this.#scheduled = true;
    // Within this turn of the event loop: what else is sent in it leaves in the same write.
    process.nextTick(() => {
      this.#scheduled = false;
      void this.#round();
    });
  }

  async #round(): Promise<void> {
    this.#cancelRetry();
    if (this.#running || !this.#member.node?.read.up) return;
    this.#running = true;
    const upTo = this.#queued;
    const round = this.#queue;
    this.#queue = new Set();
    this.#sending();
    try {
      await this.#send([...round]);
    } catch (error) {
      for (const lease of round) this.#queue.add(lease);
      this.#running = false;
      this.#cancelRetry = this.#member.clock.after(RETRY_MS, () => this.#soon());
      this.#member.failed(error as PubSubError);
      return;
    }
    this.#running = false;
    this.#stands(upTo);
    if (this.#queue.size > 0) this.#soon();
  }

  #stands(upTo: number): void {
    this.#stand = Math.max(this.#stand, upTo);
    while (this.#waiting[0] && this.#waiting[0].upTo <= upTo) this.#waiting.shift()?.resolve();
  }

  async #send(round: readonly Lease[]): Promise<void> {
    const now = this.#member.clock.elapsed();
    // An acknowledgement is not tied to its consumer. While nobody else can have claimed the message, or with a lead, it need not be.
    const from = now + this.#member.options.lease / 5;
    const led = this.#member.lead !== undefined;
    const acked = round.filter(({ state }) => state === "acked");
    const safe = acked.filter(({ safeUntil }) => led || from < safeUntil);
    const late = acked.filter(({ safeUntil }) => !led && from >= safeUntil);
    const released = round.filter(({ state }) => state === "released");
    const kept = round.filter(({ state }) => state === "lent" || state === "held" || state === "moving");
    await Promise.all([
      ...chunks(safe).map((chunk) => this.#ack(chunk)),
      ...chunks(late).map((chunk) => this.#ackOwned(chunk)),
      ...chunks(released).map((chunk) => this.#giveBack(chunk)),
      ...chunks(kept).map((chunk) => this.#mark(chunk, 0)),
    ]);
  }

  async #ack(leases: readonly Lease[]): Promise<void> {
    const { topic, group, consumer, lead } = this.#member;
    const positions = leases.map(({ position }) => position);
    if (lead === undefined) await this.#connection().call("xack", topic, group, ...positions);
    else await ackLed.run(this.#connection(), keysOf(this.#member), group, consumer, ...positions);
    for (const lease of leases) this.#leases.remove(lease);
  }

  async #ackOwned(leases: readonly Lease[]): Promise<void> {
    const { group, consumer } = this.#member;
    await ackOwned.run(this.#connection(), keysOf(this.#member), group, consumer, ...leases.map(({ position }) => position));
    for (const lease of leases) this.#leases.remove(lease);
  }

  /** Redis counts deliveries: one more than the failures, since a read sets it to 1. */
  async #mark(leases: readonly Lease[], idleMs: number): Promise<void> {
    const { group, consumer } = this.#member;
    const pairs = leases.flatMap(({ position, failures }) => [position, String(failures + 1)]);
    const gone: Reply = await mark.run(this.#connection(), keysOf(this.#member), group, consumer, String(idleMs), ...pairs);
    this.#leases.gone((gone as readonly Buffer[]).map(String));
  }

  async #giveBack(leases: readonly Lease[]): Promise<void> {
    await this.#mark(leases, GIVEN_BACK_MS);
    for (const lease of leases) this.#leases.remove(lease);
  }

  #connection() {
    const { node } = this.#member;
    // A node that goes away in the middle of a round fails its own commands; the round is then repeated on the new one.
    if (!node) throw new Error("unreachable: a round only starts with a node");
    return node.read;
  }
}

function chunks(leases: readonly Lease[]): readonly (readonly Lease[])[] {
  const result: (readonly Lease[])[] = [];
  for (let i = 0; i < leases.length; i += CHUNK) result.push(leases.slice(i, i + CHUNK));
  return result;
}
