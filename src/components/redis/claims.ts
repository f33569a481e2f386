import type { Reply } from "./connection.ts";
import type { Leases } from "./leases.ts";
import { CONSUMER_PREFIX, type Member } from "./member.ts";
import { bury, forget } from "./scripts.ts";

/** Rows of one XPENDING. */
const PAGE = 200;
const BURY_MS = 60_000;

/** A message that was taken over, with the failures that it brings. */
export interface Claimed {
  /** As XRANGE gives it. */
  readonly row: readonly Reply[];
  readonly failures: number;
}

type Pending = readonly [id: Buffer, consumer: Buffer, idle: number, deliveries: number];

/**
 * Finds messages that stand pending and that nobody works on: those whose reply never reached us, what others gave back, and what the
 * dead left behind. JUSTID throughout: taking over is no failure, and must not count as one.
 */
export class Claims {
  readonly #member: Member;
  readonly #leases: Leases;
  #buryAt = Number.NEGATIVE_INFINITY;

  constructor(member: Member, leases: Leases) {
    this.#member = member;
    this.#leases = leases;
  }

  /** Up to `room` messages. Rejects with a PubSubError. */
  async look(room: number): Promise<readonly Claimed[]> {
    await this.#bury();
    const own = await this.#pendingWithUs(room);
    return own.length >= room ? own : [...own, ...(await this.#pendingWithOthers(room - own.length))];
  }

  /**
   * Replies come in order on one connection: whatever XPENDING names and we do not know was read by us in vain. What we knew when we
   * asked may have been given back meanwhile; its count in the reply is old.
   */
  async #pendingWithUs(room: number): Promise<readonly Claimed[]> {
    const { topic, group, consumer } = this.#member;
    const known = new Set(this.#leases.all.map(({ position }) => position));
    const { lease } = this.#member.options;
    let after = "-";
    // Others may take them over meanwhile, and then they are not idle any more: what was given back is idle from the first.
    const back = new Map<string, number>();
    const unread = new Map<string, number>();
    let leastIdle = lease;
    while (back.size + unread.size < room) {
      const rows = (await this.#call("xpending", topic, group, after, "+", String(PAGE), consumer)) as readonly Pending[];
      for (const [id, , idle, deliveries] of rows) {
        if (back.size + unread.size >= room || known.has(String(id)) || this.#leases.get(String(id))) continue;
        (idle >= lease ? back : unread).set(String(id), failuresOf(deliveries));
        leastIdle = Math.min(leastIdle, idle);
      }
      const last = rows.at(-1);
      if (!last || rows.length < PAGE) break;
      after = `(${last[0]}`;
    }
    return [...(await this.#take(back, lease)), ...(await this.#take(unread, leastIdle))];
  }

  async #pendingWithOthers(room: number): Promise<readonly Claimed[]> {
    const { topic, group, consumer, options } = this.#member;
    const least = Math.min(options.lease, options.processingTimeout);
    const ours = new Map<string, number>();
    const foreign = new Map<string, number>();
    let after = "-";
    while (ours.size + foreign.size < room) {
      const rows = (await this.#call("xpending", topic, group, "IDLE", String(least), after, "+", String(PAGE))) as readonly Pending[];
      for (const [id, owner, idle, deliveries] of rows) {
        if (ours.size + foreign.size >= room || String(owner) === consumer) continue;
        const isOurs = String(owner).startsWith(CONSUMER_PREFIX);
        if (isOurs && idle >= options.lease) ours.set(String(id), failuresOf(deliveries));
        // A program of another kind counts deliveries, not failures.
        else if (!isOurs && idle >= options.processingTimeout) foreign.set(String(id), 0);
      }
      const last = rows.at(-1);
      if (!last || rows.length < PAGE) break;
      after = `(${last[0]}`;
    }
    // With us its count is one of failures: else they would be failures for whoever finds it next.
    const anew = await this.#take(foreign, options.processingTimeout, "RETRYCOUNT", "1");
    return [...(await this.#take(ours, options.lease)), ...anew];
  }

  /** Of two who claim the same message, the second finds it not idle. */
  async #take(found: ReadonlyMap<string, number>, idleMs: number, ...how: readonly string[]): Promise<readonly Claimed[]> {
    if (found.size === 0) return [];
    const { topic, group, consumer } = this.#member;
    const ids = (await this.#call(
      "xclaim",
      topic,
      group,
      consumer,
      String(idleMs),
      ...found.keys(),
      ...how,
      "JUSTID",
    )) as readonly Buffer[];
    const rows = await Promise.all(ids.map((id) => this.#call("xrange", topic, String(id), String(id))));
    const claimed: Claimed[] = [];
    const deleted: string[] = [];
    for (const [index, id] of ids.map(String).entries()) {
      const [row] = rows[index] as readonly (readonly Reply[])[];
      if (row) claimed.push({ row, failures: found.get(id) ?? 0 });
      else deleted.push(id);
    }
    const { node } = this.#member;
    if (deleted.length > 0 && node) await forget.run(node.read, [topic], group, ...deleted);
    return claimed;
  }

  async #bury(): Promise<void> {
    const { node, topic, group, consumer, clock, options } = this.#member;
    if (!node || clock.elapsed() < this.#buryAt) return;
    this.#buryAt = clock.elapsed() + BURY_MS;
    await bury.run(node.read, [topic], group, consumer, CONSUMER_PREFIX, String(options.consumerRetention));
  }

  #call(name: string, ...args: string[]): Promise<Reply> {
    const { node } = this.#member;
    return node ? node.read.call(name, ...args) : Promise.resolve([]);
  }
}

/** Redis counts deliveries, and a read sets 1: what is above was recorded by `keep` or `release`. */
const failuresOf = (deliveries: number): number => Math.max(0, deliveries - 1);
