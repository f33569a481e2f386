import type { PubSubError } from "../../pubsub/error.ts";
import type { Backlog, Order } from "../../pubsub/subscription.ts";
import type { Reader } from "./consume.ts";
import type { Entry, TopicLog } from "./topic-log.ts";

/** A message that the group took from the log and is not done with: lent, delayed, given back, or behind another of its lane. */
export interface Held {
  readonly entry: Entry;
  failures: number;
  deliveries: number;
  reader: Reader | undefined;
  /** What must come one after the other shares a lane: a key, or the whole topic. */
  readonly lane: string | undefined;
  cancelDelay: (() => void) | undefined;
}

/** The most that one reader gets before it is the next one's turn. */
const TURN = 64;

/** One group of a topic: how far it has read, and what it holds. */
export class Group {
  readonly name: string;
  readonly log: TopicLog;
  /** The next position to take from the log. */
  cursor: number;
  readonly held = new Map<number, Held>();
  /** As its first reader wants it. */
  order: Order = "none";
  readonly #expiresAfterMs: number | undefined;
  /** By lane, in the order of their positions: the first may be lent, the others wait for it to be done with. */
  readonly #lanes = new Map<string, Held[]>();
  /** Given back or due again. Kept in the order of their positions. */
  readonly #again: Held[] = [];
  #readers: Reader[] = [];
  #awake = false;
  #cancelExpiry: () => void = () => undefined;

  constructor(name: string, log: TopicLog, cursor: number, expiresAfterMs: number | undefined) {
    this.name = name;
    this.log = log;
    this.cursor = cursor;
    this.#expiresAfterMs = expiresAfterMs;
  }

  get consumers(): number {
    return this.#readers.length;
  }

  join(reader: Reader): void {
    this.#cancelExpiry();
    this.#readers.push(reader);
    this.wake();
  }

  leave(reader: Reader): void {
    this.#readers = this.#readers.filter((one) => one !== reader);
    for (const held of [...this.held.values()]) if (held.reader === reader) this.giveBack(held);
    if (this.#readers.length > 0 || this.#expiresAfterMs === undefined) return;
    this.#cancelExpiry = this.log.clock.after(this.#expiresAfterMs, () => this.delete());
  }

  /** Lends what there is, soon: never within the call that brought it, which would surprise its caller. */
  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    queueMicrotask(() => {
      this.#awake = false;
      this.#lend();
    });
  }

  /** The next message that may be lent and fits into `room` bytes. Undefined: there is none. */
  take(reader: Reader): Held | undefined {
    const held = this.#again[0] ?? this.#readOn();
    if (!held) return undefined;
    if (this.#again[0] === held) this.#again.shift();
    else this.#takeOver(held);
    held.reader = reader;
    held.deliveries += 1;
    return held;
  }

  done(held: Held): void {
    this.#drop(held);
    this.log.done(held.entry.position);
  }

  giveBack(held: Held, delayMs = 0): void {
    held.reader = undefined;
    if (delayMs <= 0) {
      this.#queue(held);
      return;
    }
    held.cancelDelay = this.log.clock.after(delayMs, () => {
      held.cancelDelay = undefined;
      this.#queue(held);
    });
  }

  seek(to: number): void {
    if (to < this.cursor) this.#rewind(to);
    this.#passOver(to);
    for (const held of [...this.held.values()]) if (!held.reader && held.entry.position < to) this.done(held);
    this.wake();
  }

  delete(error?: PubSubError): void {
    for (const reader of [...this.#readers]) reader.die(error);
    // Whoever leaves sets it, and a group of the same name may come.
    this.#cancelExpiry();
    this.log.groups.delete(this.name);
    this.#passOver(this.log.next);
    for (const held of [...this.held.values()]) this.done(held);
  }

  /** The message is gone from the log. What is lent stays lent. */
  forget(position: number): void {
    const held = this.held.get(position);
    if (held && !held.reader) this.#drop(held);
  }

  backlog(): Backlog {
    let messages = this.held.size;
    let oldest = Number.POSITIVE_INFINITY;
    for (const { entry } of this.held.values()) oldest = Math.min(oldest, entry.publishedAt);
    for (const [position, entry] of this.log.entries) {
      if (position < this.cursor || this.held.has(position)) continue;
      messages += 1;
      oldest = Math.min(oldest, entry.publishedAt);
    }
    return { messages, oldestMs: messages === 0 ? undefined : Math.max(0, this.log.clock.now() - oldest) };
  }

  #lend(): void {
    for (let lent = true; lent; ) {
      lent = false;
      for (const reader of [...this.#readers]) if (reader.lend(TURN) > 0) lent = true;
    }
    // Another one is first next time.
    this.#readers.push(...this.#readers.splice(0, 1));
  }

  /** The message at the cursor, passing over what is removed, expired or delayed. */
  #readOn(): Held | undefined {
    for (; this.cursor < this.log.next; this.cursor++) {
      const entry = this.log.entries.get(this.cursor);
      // After a seek backwards, what is still held is met again.
      if (!entry || this.held.has(this.cursor)) continue;
      const now = this.log.clock.now();
      const held: Held = { entry, failures: 0, deliveries: 0, reader: undefined, lane: this.#laneOf(entry), cancelDelay: undefined };
      if (entry.expiresAt !== undefined && entry.expiresAt <= now) this.log.done(this.cursor);
      else if (entry.notBefore !== undefined && entry.notBefore > now) {
        this.held.set(this.cursor, held);
        // A timer may strike up to a millisecond early.
        this.giveBack(held, entry.notBefore - now + 1);
      } else if (held.lane === undefined || !this.#lanes.has(held.lane)) return held;
      else {
        this.held.set(this.cursor, held);
        this.#lanes.get(held.lane)?.push(held);
      }
    }
    return undefined;
  }

  #takeOver(held: Held): void {
    this.held.set(held.entry.position, held);
    if (held.lane !== undefined) this.#lanes.set(held.lane, [held]);
    this.cursor = held.entry.position + 1;
  }

  #passOver(to: number): void {
    for (; this.cursor < to; this.cursor++) if (!this.held.has(this.cursor)) this.log.done(this.cursor);
  }

  #rewind(to: number): void {
    for (let position = to; position < this.cursor; position++) if (!this.held.has(position)) this.log.retain(position, position + 1);
    this.cursor = to;
  }

  #laneOf({ key }: Entry): string | undefined {
    return this.order === "topic" ? "" : this.order === "key" ? key : undefined;
  }

  #queue(held: Held): void {
    if (!this.log.entries.has(held.entry.position)) {
      this.#drop(held);
      return;
    }
    if (!this.#leads(held)) return;
    const after = this.#again.findIndex((one) => one.entry.position > held.entry.position);
    this.#again.splice(after < 0 ? this.#again.length : after, 0, held);
    this.wake();
  }

  /** Whether nothing of its lane is before it. Else it waits there: a message with a time of its own joins the lane when that has come. */
  #leads(held: Held): boolean {
    if (held.lane === undefined) return true;
    const lane = this.#lanes.get(held.lane) ?? [];
    this.#lanes.set(held.lane, lane);
    if (!lane.includes(held)) {
      const after = lane.findIndex((one, index) => index > 0 && one.entry.position > held.entry.position);
      lane.splice(after < 0 ? lane.length : after, 0, held);
    }
    return lane[0] === held;
  }

  #drop(held: Held): void {
    held.cancelDelay?.();
    this.held.delete(held.entry.position);
    const queued = this.#again.indexOf(held);
    if (queued >= 0) this.#again.splice(queued, 1);
    if (held.lane !== undefined) this.#leave(held, held.lane);
  }

  #leave(held: Held, name: string): void {
    const lane = this.#lanes.get(name) ?? [];
    const at = lane.indexOf(held);
    if (at >= 0) lane.splice(at, 1);
    const [next] = lane;
    if (!next) this.#lanes.delete(name);
    else if (at === 0) this.#queue(next);
  }
}
