import type { GroupRows } from "./group-rows.ts";
import type { Topic } from "./log.ts";
import type { Reader } from "./reader.ts";
import { Redelivery } from "./redelivery.ts";

/** The longest that a retry can be put off. */
export const MAX_DELAY_MS = 30 * 86_400_000;

/** A message that this group has read and not settled. */
interface Entry {
  readonly pos: number;
  size: number;
  failures: number;
  /** Wall clock: not to be lent before. 0: at once. */
  due: number;
  /** Who has it. undefined: it waits to be lent again. */
  reader: Reader | undefined;
  /** It has a row in `pending`. */
  stored: boolean;
}

/** How much of the progress a transaction must hold: what costs one update; what is older than the last tick, too; all of it. */
export type Extent = "front" | "tick" | "all";

/**
 * The state of a consumer group. Memory knows more than the disk: every message before `next` is settled unless it has an entry here;
 * the disk follows within two ticks, or at once where a settlement must not be forgotten.
 */
export class Group {
  readonly id: number;
  readonly topic: Topic;
  readonly name: string;
  readonly expiresAfterMs: number | null;
  /** Wall clock; null while there are readers. */
  idleSince: number | null;
  readonly readers: Reader[] = [];
  /** Where it reads on. */
  next: number;
  /** Messages of the topic from `next` on; undefined: not counted. */
  unread: number | undefined;
  /** The size of a message that fitted into no window: not to be fetched in vain again. */
  blocked = 0;

  /** Entries before the upto that the disk has: each has a row. Like `#recent` in ascending order. */
  readonly #parked = new Map<number, Entry>();
  readonly #recent = new Map<number, Entry>();
  /** Lent before a seek, and not reached again by the cursor. */
  readonly #strays = new Map<number, Entry>();
  /** Strays that were acknowledged ahead of the cursor. */
  readonly #passed = new Set<number>();
  /** Failures of messages that the cursor has not reached, from before a restart. */
  readonly #remembered = new Map<number, { failures: number; due: number }>();
  readonly #again = new Redelivery();
  #savedUpto: number;
  /** `next` at the last tick. */
  #mark: number;
  #erase: number[] = [];
  #unsaved: Entry[] = [];
  #settledSinceTick = false;
  #dirty = false;

  constructor(id: number, topic: Topic, name: string, upto: number, expiresAfterMs: number | null, idleSince: number | null) {
    this.id = id;
    this.topic = topic;
    this.name = name;
    this.expiresAfterMs = expiresAfterMs;
    this.idleSince = idleSince;
    this.next = this.#mark = this.#savedUpto = upto;
  }

  /** Takes up what an earlier run left. Delays count from now, for at most as long as they were meant to: clocks jump. */
  load(rows: GroupRows, now: number, elapsed: number): void {
    for (const [pos, failures, due] of rows.pending(this.id)) {
      if (pos >= this.next) {
        this.#remembered.set(pos, { failures, due });
        continue;
      }
      this.#parked.set(pos, { pos, size: 0, failures, due, reader: undefined, stored: true });
      if (due > now) this.#again.addLater(elapsed + Math.min(due - now, MAX_DELAY_MS), pos);
      else this.#again.add(pos);
    }
  }

  /** There is progress that the disk does not have. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /** There is a failure that the disk must have with the next commit. */
  get urgent(): boolean {
    return this.#unsaved.length > 0;
  }

  get unsettled(): number {
    return this.#parked.size + this.#recent.size;
  }

  /** Everything before it is settled. */
  get floor(): number {
    return first(this.#parked)?.pos ?? first(this.#recent)?.pos ?? this.next;
  }

  get lent(): number {
    let count = 0;
    for (const entry of this.#all()) if (entry.reader) count++;
    return count;
  }

  /** Its readers ask for order, all of them. */
  get ordered(): boolean {
    return this.readers.some((reader) => reader.order !== "none");
  }

  /** The readers that messages are lent to now. In order that is one: who has something, else the first that would take something. */
  get served(): readonly Reader[] {
    if (!this.ordered) return this.readers;
    const leader = this.readers.find(({ busy }) => busy) ?? this.readers.find(({ room }) => room > 0);
    return leader ? [leader] : [];
  }

  /** When the next delayed retry is due, on the monotonic clock. undefined: there is none, or no reader has room for it. */
  get nextDue(): number | undefined {
    return this.#again.nextDue !== undefined && this.served.some(({ room }) => room > 0) ? this.#again.nextDue : undefined;
  }

  /** The position to lend again before anything new, if there is one. `elapsed` makes delayed ones ready. */
  peekReady(elapsed: number): number | undefined {
    for (let pos = this.#again.peek(elapsed); pos !== undefined; pos = this.#again.peek(elapsed)) {
      const entry = this.#find(pos);
      if (entry && !entry.reader) return pos;
      this.#again.drop();
    }
    return undefined;
  }

  relend(pos: number, size: number, reader: Reader): Readonly<Entry> {
    this.#again.drop();
    const entry = this.#find(pos) as Entry;
    entry.reader = reader;
    entry.size = size;
    return entry;
  }

  /** Retries that were put off when nobody asked for order: those with a place to keep are lent now, and say for themselves when they are due. */
  keepPlaces(keepsPlace: (pos: number) => boolean, now: number, elapsed: number): void {
    for (const pos of this.#again.takeDelayed()) {
      const due = this.#find(pos)?.due ?? 0;
      if (keepsPlace(pos)) this.#again.add(pos);
      else this.#again.addLater(elapsed + Math.min(due - now, MAX_DELAY_MS), pos);
    }
  }

  /** The cursor reaches a new message: what is to be lent to `reader` now; undefined when nothing is. */
  advance(pos: number, size: number, key: string | null, reader: Reader, now: number, elapsed: number): Readonly<Entry> | undefined {
    this.#pass(pos);
    if (this.#passed.delete(pos)) {
      this.#dirty = true;
      return undefined;
    }
    const stray = this.#strays.get(pos);
    if (stray) {
      this.#strays.delete(pos);
      this.#recent.set(pos, stray);
      return undefined;
    }
    const before = this.#remembered.get(pos);
    if (!before) {
      const entry = { pos, size, failures: 0, due: 0, reader, stored: false };
      this.#recent.set(pos, entry);
      return entry;
    }
    this.#remembered.delete(pos);
    const waits = before.due > now && !reader.keepsPlace(key);
    const entry = { pos, size, ...before, reader: waits ? undefined : reader, stored: true };
    this.#recent.set(pos, entry);
    if (waits) this.#again.addLater(elapsed + Math.min(before.due - now, MAX_DELAY_MS), pos);
    return waits ? undefined : entry;
  }

  /** The cursor reaches a message that expired. */
  skip(pos: number): void {
    this.#pass(pos);
    if (this.#remembered.delete(pos)) this.#erase.push(pos);
    this.#dirty = true;
  }

  ack(pos: number, reader: Reader): boolean {
    const entry = this.#lentTo(pos, reader);
    if (entry) this.#drop(entry);
    return entry !== undefined;
  }

  release(pos: number, reader: Reader): void {
    const entry = this.#lentTo(pos, reader);
    if (!entry || this.#wasStray(entry)) return;
    this.#takeBack(entry);
    this.#again.add(pos);
  }

  retry(pos: number, reader: Reader, delayMs: number, failures: number, now: number, elapsed: number): void {
    const entry = this.#lentTo(pos, reader);
    if (!entry || this.#wasStray(entry)) return;
    this.#takeBack(entry);
    entry.failures = failures;
    entry.due = now + delayMs;
    this.#save(entry);
    this.#again.addLater(elapsed + delayMs, pos);
  }

  keep(pos: number, reader: Reader, failures: number): void {
    const entry = this.#lentTo(pos, reader);
    if (!entry) return;
    entry.failures = failures;
    this.#save(entry);
  }

  /** Undoes an `ack` whose transaction failed. To be followed by `resync`. */
  unack(pos: number, size: number, failures: number, reader: Reader): void {
    const entries = this.#passed.delete(pos) ? this.#strays : this.#recent;
    entries.set(pos, { pos, size, failures, due: 0, reader, stored: false });
    reader.relent(size);
  }

  /** What `unack` needs to know. */
  lentEntry(pos: number, reader: Reader): Readonly<Entry> | undefined {
    return this.#lentTo(pos, reader);
  }

  /** Settled without having been lent: expired, or no longer there. */
  forget(pos: number): void {
    const entry = this.#find(pos);
    if (entry) this.#drop(entry);
  }

  /** The message was removed. What is lent stays lent. */
  forgetUnlent(pos: number): void {
    const entry = this.#find(pos);
    if (entry && !entry.reader) this.#drop(entry);
  }

  /** Gives back all that `reader` has. */
  detach(reader: Reader): void {
    for (const entry of this.#all()) if (entry.reader === reader) this.release(entry.pos, reader);
    this.readers.splice(this.readers.indexOf(reader), 1);
  }

  /** Reads on from `upto`, which the disk already says. What is lent stays lent. */
  moveTo(upto: number): void {
    for (const entry of this.#all()) {
      if (!entry.reader) continue;
      entry.stored = false;
      this.#strays.set(entry.pos, entry);
    }
    for (const part of [this.#parked, this.#recent, this.#remembered, this.#passed, this.#again]) part.clear();
    this.#erase = [];
    this.#unsaved = [];
    this.next = this.#mark = this.#savedUpto = upto;
    this.unread = undefined;
    this.blocked = 0;
    this.#dirty = false;
  }

  /** Writes progress down, within a transaction. If that fails, `resync` must follow. */
  persist(rows: GroupRows, extent: Extent): void {
    for (const pos of this.#erase) rows.erase(this.id, pos);
    for (const entry of this.#unsaved) {
      if (this.#find(entry.pos) !== entry) continue;
      rows.put(this.id, entry.pos, entry.failures, entry.due);
      entry.stored = true;
    }
    this.#erase = [];
    this.#unsaved = [];
    if (extent !== "front") this.#park(rows, extent === "all" ? this.next : this.#mark);
    const upto = first(this.#recent)?.pos ?? this.next;
    if (upto > this.#savedUpto) {
      rows.setUpto(this.id, upto);
      this.#savedUpto = upto;
    }
    if (extent === "front") return;
    this.#mark = this.next;
    this.#dirty = extent === "tick" && this.#settledSinceTick;
    this.#settledSinceTick = false;
  }

  /** Learns again what the disk has, after a transaction that failed or may have. */
  resync(rows: GroupRows): void {
    const stored = new Set(rows.pending(this.id).map(([pos]) => pos));
    const entries = [...this.#parked.values(), ...this.#recent.values()].sort((a, b) => a.pos - b.pos);
    this.#savedUpto = rows.upto(this.id);
    this.#parked.clear();
    this.#recent.clear();
    for (const entry of entries) {
      entry.stored = stored.delete(entry.pos);
      (entry.pos < this.#savedUpto ? this.#parked : this.#recent).set(entry.pos, entry);
    }
    this.#unsaved = entries.filter(({ failures, due }) => failures > 0 || due > 0);
    this.#erase = [...stored].filter((pos) => !this.#remembered.has(pos));
    this.#dirty = this.#settledSinceTick = true;
  }

  /** Gives what is stuck before `end` a row of its own, so that the rest need not wait for it. */
  #park(rows: GroupRows, end: number): void {
    for (const entry of this.#recent.values()) {
      if (entry.pos >= end) return;
      if (!entry.stored) rows.put(this.id, entry.pos, entry.failures, entry.due);
      entry.stored = true;
      this.#recent.delete(entry.pos);
      this.#parked.set(entry.pos, entry);
    }
  }

  #pass(pos: number): void {
    this.next = pos + 1;
    this.blocked = 0;
    if (this.unread !== undefined) this.unread--;
  }

  #find(pos: number): Entry | undefined {
    return this.#recent.get(pos) ?? this.#parked.get(pos);
  }

  #lentTo(pos: number, reader: Reader): Entry | undefined {
    const entry = this.#find(pos) ?? this.#strays.get(pos);
    return entry?.reader === reader ? entry : undefined;
  }

  *#all(): Generator<Entry> {
    yield* this.#parked.values();
    yield* this.#recent.values();
    yield* this.#strays.values();
  }

  #drop(entry: Entry): void {
    this.#takeBack(entry);
    if (this.#strays.delete(entry.pos)) {
      if (entry.pos >= this.next) this.#passed.add(entry.pos);
      return;
    }
    if (!this.#recent.delete(entry.pos)) this.#parked.delete(entry.pos);
    if (entry.stored) this.#erase.push(entry.pos);
    this.#dirty = this.#settledSinceTick = true;
  }

  /** A stray that is given back needs no second place: the cursor will reach it, or is past it for good. */
  #wasStray(entry: Entry): boolean {
    if (!this.#strays.delete(entry.pos)) return false;
    this.#takeBack(entry);
    return true;
  }

  #takeBack(entry: Entry): void {
    entry.reader?.returned(entry.size);
    entry.reader = undefined;
  }

  #save(entry: Entry): void {
    if (this.#strays.has(entry.pos)) return;
    this.#unsaved.push(entry);
    this.#dirty = true;
  }
}

function first(entries: ReadonlyMap<number, Entry>): Entry | undefined {
  for (const entry of entries.values()) return entry;
  return undefined;
}
