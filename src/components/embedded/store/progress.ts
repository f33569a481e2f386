import { type Entry, first } from "./entry.ts";
import type { GroupRows } from "./group-rows.ts";

/** How much of the progress a transaction must hold: what costs one update; what is older than the last tick, too; all of it. */
export type Extent = "front" | "tick" | "all";

/**
 * How far a group has come, in memory and on disk. Every message before `next` is settled unless it has an entry here; the disk follows
 * within two ticks, sooner when a crash would repeat too much, and at once where a settlement must not be forgotten.
 */
export class Progress {
  readonly #group: number;
  /** Where the group reads on. */
  next: number;
  /** Entries before the upto that the disk has: each has a row. Like `#recent` in ascending order. */
  readonly #parked = new Map<number, Entry>();
  readonly #recent = new Map<number, Entry>();
  /** Messages that the cursor has reached, and how many of them are before what the disk has as upto. */
  #reached = 0;
  #savedReached = 0;
  /** `#savedReached` as it was before the last `persist`, which may turn out not to stand. */
  #sureReached = 0;
  #savedUpto: number;
  /** `next` at the last tick. */
  #mark: number;
  #erase: number[] = [];
  #unsaved: Entry[] = [];
  #settledSinceTick = false;
  #dirty = false;

  constructor(group: number, upto: number) {
    this.#group = group;
    this.next = this.#mark = this.#savedUpto = upto;
  }

  /** There is something that the disk does not have. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /** There are failures that the disk does not have. */
  get failed(): boolean {
    return this.#unsaved.length > 0;
  }

  /** At most so many settled messages would come again after a crash now. */
  get unsure(): number {
    return this.#erase.length + this.#reached - this.#savedReached - this.#recent.size;
  }

  get unsettled(): number {
    return this.#parked.size + this.#recent.size;
  }

  /** Everything before it is settled. */
  get floor(): number {
    return first(this.#parked)?.pos ?? first(this.#recent)?.pos ?? this.next;
  }

  /** On disk everything before it is settled, but for what has a row of its own. */
  get savedUpto(): number {
    return this.#savedUpto;
  }

  /** So many have a row of their own. */
  get parked(): number {
    return this.#parked.size;
  }

  find(pos: number): Entry | undefined {
    return this.#recent.get(pos) ?? this.#parked.get(pos);
  }

  *entries(): Generator<Entry> {
    yield* this.#parked.values();
    yield* this.#recent.values();
  }

  /** One that an earlier run left. */
  park(entry: Entry): void {
    this.#parked.set(entry.pos, entry);
  }

  /** The cursor is at a message that somebody gets, or gets later. */
  reach(entry: Entry): void {
    entry.turn = ++this.#reached;
    this.#recent.set(entry.pos, entry);
  }

  /** The cursor is at a message that was acknowledged before. */
  reachSettled(): void {
    this.#reached++;
    this.touch();
  }

  /** There is more to write, though nobody has settled anything. */
  touch(): void {
    this.#dirty = true;
  }

  settle(entry: Entry): void {
    if (!this.#recent.delete(entry.pos)) this.#parked.delete(entry.pos);
    if (entry.stored) this.#erase.push(entry.pos);
    this.#dirty = this.#settledSinceTick = true;
  }

  /** Undoes `settle`, after a transaction that failed. `resync` must follow. */
  unsettle(entry: Entry): void {
    this.#recent.set(entry.pos, entry);
  }

  /** The row of a message without an entry is no longer needed. */
  erase(pos: number): void {
    this.#erase.push(pos);
  }

  /** Its failures are to be on disk with the next commit. */
  save(entry: Entry): void {
    this.#unsaved.push(entry);
    this.#dirty = true;
  }

  /** Begins anew at `upto`, which the disk already says. */
  moveTo(upto: number): void {
    this.#parked.clear();
    this.#recent.clear();
    this.#reached = this.#savedReached = this.#sureReached = 0;
    this.#erase = [];
    this.#unsaved = [];
    this.next = this.#mark = this.#savedUpto = upto;
    this.#dirty = false;
  }

  /** Writes it down, within a transaction, but for at most `leftOut` settled messages. If that fails, `resync` must follow. */
  persist(rows: GroupRows, extent: Extent, leftOut: number): void {
    for (const pos of this.#erase) rows.erase(this.#group, pos);
    for (const entry of this.#unsaved) {
      if (this.find(entry.pos) !== entry) continue;
      rows.put(this.#group, entry.pos, entry.failures, entry.due);
      entry.stored = true;
    }
    this.#erase = [];
    this.#unsaved = [];
    if (extent !== "front") this.#parkUntil(rows, extent === "all" ? this.next : this.#mark);
    for (let front = first(this.#recent); front; front = first(this.#recent)) {
      const behind = this.#reached - front.turn + 1 - this.#recent.size;
      if (behind <= leftOut) break;
      this.#park(rows, front);
    }
    const front = first(this.#recent);
    this.#sureReached = this.#savedReached;
    this.#savedReached = front ? front.turn - 1 : this.#reached;
    const upto = front?.pos ?? this.next;
    if (upto > this.#savedUpto) {
      rows.setUpto(this.#group, upto);
      this.#savedUpto = upto;
    }
    if (extent === "front") return;
    this.#mark = this.next;
    this.#dirty = extent === "tick" && this.#settledSinceTick;
    this.#settledSinceTick = false;
  }

  /** Learns again what the disk has, after a transaction that failed or may have. `remembered`: rows without an entry that are still needed. */
  resync(rows: GroupRows, remembered: ReadonlyMap<number, unknown>): void {
    const stored = new Set(rows.pending(this.#group).map(([pos]) => pos));
    const entries = [...this.entries()].sort((a, b) => a.pos - b.pos);
    this.#savedUpto = rows.upto(this.#group);
    this.#savedReached = this.#sureReached;
    this.#parked.clear();
    this.#recent.clear();
    for (const entry of entries) {
      entry.stored = stored.delete(entry.pos);
      (entry.pos < this.#savedUpto ? this.#parked : this.#recent).set(entry.pos, entry);
    }
    this.#unsaved = entries.filter(({ failures, due }) => failures > 0 || due > 0);
    this.#erase = [...stored].filter((pos) => !remembered.has(pos));
    this.#dirty = this.#settledSinceTick = true;
  }

  #parkUntil(rows: GroupRows, end: number): void {
    for (const entry of this.#recent.values()) {
      if (entry.pos >= end) return;
      this.#park(rows, entry);
    }
  }

  /** Gives what is stuck a row of its own, so that the rest need not wait for it. */
  #park(rows: GroupRows, entry: Entry): void {
    if (!entry.stored) rows.put(this.#group, entry.pos, entry.failures, entry.due);
    entry.stored = true;
    this.#recent.delete(entry.pos);
    this.#parked.set(entry.pos, entry);
  }
}
