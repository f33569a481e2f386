/** A message that was read, and what became of it. */
export interface Tracked {
  readonly offset: number;
  readonly failures: number;
  readonly settled: boolean;
}

/** What was known of some offsets when the partition was last handed over. */
export interface Mark {
  readonly from: number;
  /** The first one behind them. */
  readonly to: number;
  /** `DONE`: settled. Else of each of them: how often it failed. */
  readonly failures: number;
}

export const DONE = -1;

/** Settled ones may stand in the row until they are so many more than the others. */
const MOST_SETTLED = 64;

/** How far a group is in one partition: which messages are settled, also beyond the first that is not. */
export class Progress<T extends Tracked> {
  /** In the order of their offsets. Settled ones leave when those before them have. */
  #row: T[] = [];
  #settled = 0;
  #next: number;
  /** Of offsets that were not read yet. */
  #marks: readonly Mark[];

  constructor(next: number, marks: readonly Mark[] = []) {
    this.#next = next;
    this.#marks = marks;
  }

  /** The offset to read on at. */
  get next(): number {
    return this.#next;
  }

  /** The first offset that is not settled: what a commit says. */
  get first(): number {
    this.#trim();
    return this.#row[0]?.offset ?? this.#next;
  }

  /** Behind all that was read, or is known to be settled. */
  get end(): number {
    return Math.max(this.#next, this.#marks.at(-1)?.to ?? 0);
  }

  /** The first message that is not settled. */
  get oldest(): T | undefined {
    this.#trim();
    return this.#row[0];
  }

  /** All that is not settled. */
  get open(): readonly T[] {
    return this.#row.filter(({ settled }) => !settled);
  }

  /** How many of the offsets before `end` are not settled. */
  unsettled(end: number): number {
    let count = this.#row.length - this.#settled + Math.max(0, end - this.#next);
    for (const { from, to, failures } of this.#marks)
      if (failures === DONE) count -= Math.max(0, Math.min(to, end) - Math.max(from, this.#next));
    return count;
  }

  /** What is known of an offset that is about to be read: `DONE`, or its failures. Asked in the order of the offsets. */
  known(offset: number): number {
    while (this.#marks[0] && this.#marks[0].to <= offset) this.#marks = this.#marks.slice(1);
    const [mark] = this.#marks;
    return mark && mark.from <= offset ? mark.failures : 0;
  }

  /** Read, and not settled. In the order of the offsets. */
  add(one: T): void {
    this.#row.push(one);
    this.#next = one.offset + 1;
  }

  /** Everything before `next` has been read. */
  readTo(next: number): void {
    if (next > this.#next) this.#next = next;
  }

  /** `one` has become settled. */
  settled(): void {
    this.#settled += 1;
    if (this.#settled > MOST_SETTLED && this.#settled > this.#row.length / 2) {
      this.#row = this.#row.filter(({ settled }) => !settled);
      this.#settled = 0;
    }
  }

  /** `one` takes the place of what has the same offset. */
  replace(one: T): void {
    let low = 0;
    let high = this.#row.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#row[middle] as T).offset < one.offset) low = middle + 1;
      else high = middle;
    }
    this.#row[low] = one;
  }

  /** From `first` on, what is settled and what failed, up to the last of these. */
  marks(): readonly Mark[] {
    const marks: Mark[] = [];
    let done = this.first;
    for (const { offset, failures, settled } of this.#row) {
      if (settled) continue;
      if (offset > done) marks.push({ from: done, to: offset, failures: DONE });
      if (failures > 0) marks.push({ from: offset, to: offset + 1, failures });
      done = offset + 1;
    }
    if (this.#next > done) marks.push({ from: done, to: this.#next, failures: DONE });
    for (const mark of this.#marks) if (mark.to > this.#next) marks.push({ ...mark, from: Math.max(mark.from, this.#next) });
    return marks;
  }

  #trim(): void {
    let gone = 0;
    while (gone < this.#row.length && (this.#row[gone] as T).settled) gone += 1;
    if (gone === 0) return;
    this.#row.splice(0, gone);
    this.#settled -= gone;
  }
}
