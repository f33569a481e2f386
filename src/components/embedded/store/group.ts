import type { Entry } from "./entry.ts";
import type { GroupRows } from "./group-rows.ts";
import type { Topic } from "./log.ts";
import { type Extent, Progress } from "./progress.ts";
import type { Reader } from "./reader.ts";
import { Redelivery } from "./redelivery.ts";
import { Strays } from "./strays.ts";

/** Retention looks at each of them in each of its steps. */
const MOST_PARKED = 10_000;

/** After a commit no more than so much of a group's window is left out of it of what was settled: a crash would repeat it, beside what was lent. */
const LEFT_OUT = 1 / 4;
/** So many times that, a window, are worth a commit of their own: where nothing is published there is no other. */
const OWN_COMMIT = 4;
/** What is worth neither, however small the window. */
const LEAST = 16;

/** A consumer group: its readers, and what each message that it has read waits for. */
export class Group {
  readonly id: number;
  readonly topic: Topic;
  readonly name: string;
  readonly expiresAfterMs: number | null;
  /** Wall clock; null while there are readers. */
  idleSince: number | null;
  readonly readers: Reader[] = [];
  /** Messages of the topic from `next` on; undefined: not counted. */
  unread: number | undefined;

  readonly #progress: Progress;
  readonly #strays = new Strays();
  /** Failures of messages that the cursor has not reached, from before a restart. */
  readonly #remembered = new Map<number, { failures: number; due: number }>();
  readonly #again = new Redelivery();

  constructor(id: number, topic: Topic, name: string, upto: number, expiresAfterMs: number | null, idleSince: number | null) {
    this.id = id;
    this.topic = topic;
    this.name = name;
    this.expiresAfterMs = expiresAfterMs;
    this.idleSince = idleSince;
    this.#progress = new Progress(id, upto);
  }

  /** Takes up what an earlier run left. Delays count from now, for at most as long as they were meant to: clocks jump. */
  load(rows: GroupRows, now: number, elapsed: number): void {
    for (const [pos, failures, due] of rows.pending(this.id)) {
      if (pos >= this.next) {
        this.#remembered.set(pos, { failures, due });
        continue;
      }
      this.#progress.park({ pos, turn: 0, size: 0, failures, due, reader: undefined, stored: true });
      if (due > now) this.#again.addDelayed(due, pos, now, elapsed);
      else this.#again.add(pos);
    }
  }

  /** Where it reads on. */
  get next(): number {
    return this.#progress.next;
  }

  /** There is progress that the disk does not have. */
  get dirty(): boolean {
    return this.#progress.dirty;
  }

  /** There is a failure that the disk must have with the next commit, or a crash would repeat more than it may. */
  get urgent(): boolean {
    return this.#progress.failed || this.#progress.unsure > OWN_COMMIT * this.#leftOut;
  }

  get unsettled(): number {
    return this.#progress.unsettled;
  }

  /** Everything before it is settled. */
  get floor(): number {
    return this.#progress.floor;
  }

  /** What is before it may be deleted, but for what has a row of its own: as long as these are few enough to be looked at. */
  get deletable(): number {
    return this.#progress.parked > MOST_PARKED ? this.floor : this.#progress.savedUpto;
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
      const entry = this.#progress.find(pos);
      if (entry && !entry.reader) return pos;
      this.#again.drop();
    }
    return undefined;
  }

  relend(pos: number, size: number, reader: Reader): Readonly<Entry> {
    this.#again.drop();
    const entry = this.#progress.find(pos) as Entry;
    entry.reader = reader;
    entry.size = size;
    return entry;
  }

  /** Retries that were put off when nobody asked for order: those with a place to keep are lent now, and say for themselves when they are due. */
  keepPlaces(keepsPlace: (pos: number) => boolean, now: number, elapsed: number): void {
    for (const pos of this.#again.takeDelayed()) {
      const due = this.#progress.find(pos)?.due ?? 0;
      if (keepsPlace(pos)) this.#again.add(pos);
      else this.#again.addDelayed(due, pos, now, elapsed);
    }
  }

  /** A clock that was wrong when delays were taken up made them too long: by the clock of now nobody waits for what is due. */
  hasten(now: number, elapsed: number): void {
    this.#again.hasten(elapsed, (pos) => Math.max(0, (this.#progress.find(pos)?.due ?? 0) - now));
  }

  /** There is nothing to read, up to the end of the topic. */
  passEnd(): void {
    this.#progress.next = Math.max(this.#progress.next, this.topic.last + 1);
    this.unread = 0;
  }

  /** The cursor reaches a new message: what is to be lent to `reader` now; undefined when nothing is. */
  advance(pos: number, size: number, key: string | null, reader: Reader, now: number, elapsed: number): Readonly<Entry> | undefined {
    this.#pass(pos);
    if (this.#strays.takePassed(pos)) {
      this.#progress.reachSettled();
      return undefined;
    }
    const stray = this.#strays.get(pos);
    if (stray) {
      this.#strays.remove(pos);
      this.#progress.reach(stray);
      return undefined;
    }
    const before = this.#remembered.get(pos);
    if (!before) {
      const entry = { pos, turn: 0, size, failures: 0, due: 0, reader, stored: false };
      this.#progress.reach(entry);
      return entry;
    }
    this.#remembered.delete(pos);
    const waits = before.due > now && !reader.keepsPlace(key);
    const entry = { pos, turn: 0, size, ...before, reader: waits ? undefined : reader, stored: true };
    this.#progress.reach(entry);
    if (waits) this.#again.addDelayed(before.due, pos, now, elapsed);
    return waits ? undefined : entry;
  }

  /** The cursor reaches a message that expired. */
  skip(pos: number): void {
    this.#pass(pos);
    if (this.#remembered.delete(pos)) this.#progress.erase(pos);
    this.#progress.touch();
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

  /** Undoes an `ack` of what `lentEntry` gave, whose transaction failed. To be followed by `resync`. */
  unack(entry: Entry, reader: Reader): void {
    entry.reader = reader;
    reader.relent(entry.size);
    if (this.#strays.takePassed(entry.pos)) this.#strays.add(entry);
    else this.#progress.unsettle(entry);
  }

  /** What `reader` has of it. */
  lentEntry(pos: number, reader: Reader): Entry | undefined {
    return this.#lentTo(pos, reader);
  }

  /** Settled without having been lent: expired, or no longer there. */
  forget(pos: number): void {
    const entry = this.#progress.find(pos);
    if (entry) this.#drop(entry);
  }

  /** The message was removed. What is lent stays lent. */
  forgetUnlent(pos: number): void {
    const entry = this.#progress.find(pos);
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
      this.#strays.add(entry);
    }
    this.#strays.forgetPassed();
    this.#progress.moveTo(upto);
    this.#remembered.clear();
    this.#again.clear();
    this.unread = undefined;
  }

  /** Writes progress down, within a transaction. If that fails, `resync` must follow. */
  persist(rows: GroupRows, extent: Extent): void {
    this.#progress.persist(rows, extent, this.#leftOut);
  }

  /** Learns again what the disk has, after a transaction that failed or may have. */
  resync(rows: GroupRows): void {
    this.#progress.resync(rows, this.#remembered);
  }

  /** How many settled messages a commit may leave out. */
  get #leftOut(): number {
    let window = 0;
    for (const reader of this.readers) window += reader.windowMessages;
    return Math.max(LEAST, window * LEFT_OUT);
  }

  #pass(pos: number): void {
    this.#progress.next = pos + 1;
    if (this.unread !== undefined) this.unread--;
  }

  #lentTo(pos: number, reader: Reader): Entry | undefined {
    const entry = this.#progress.find(pos) ?? this.#strays.get(pos);
    return entry?.reader === reader ? entry : undefined;
  }

  *#all(): Generator<Entry> {
    yield* this.#progress.entries();
    yield* this.#strays.values();
  }

  #drop(entry: Entry): void {
    this.#takeBack(entry);
    if (!this.#strays.acked(entry.pos, this.next)) this.#progress.settle(entry);
  }

  /** A stray that is given back needs no second place: the cursor will reach it, or is past it for good. */
  #wasStray(entry: Entry): boolean {
    if (!this.#strays.remove(entry.pos)) return false;
    this.#takeBack(entry);
    return true;
  }

  #takeBack(entry: Entry): void {
    entry.reader?.returned(entry.size);
    entry.reader = undefined;
  }

  #save(entry: Entry): void {
    if (!this.#strays.get(entry.pos)) this.#progress.save(entry);
  }
}
