/** Something that ends at a time. `place` is the heap's own; -1: it waits for nothing. */
export interface Timed {
  deadline: number | undefined;
  place: number;
  onDeadline(): void;
}

/** Most milliseconds that a timer of Node's takes. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * The deadlines of many calls on one timer: a binary heap, in which nearly every call is the last to be added and gone before its turn. A timer of its own
 * for each call costs more than the rest of the call.
 */
export class Deadlines {
  readonly #heap: Timed[] = [];
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  /** Calls `onDeadline` once `deadline` (milliseconds since the epoch) has come, unless it is removed before. */
  add(one: Timed): void {
    one.place = this.#heap.length;
    this.#heap.push(one);
    this.#up(one);
    if (at(one) < this.#firesAt) this.#arm(at(one));
  }

  remove(one: Timed): void {
    const { place } = one;
    if (place < 0) return;
    one.place = -1;
    const last = this.#heap.pop() as Timed;
    if (last === one) return;
    last.place = place;
    this.#heap[place] = last;
    this.#up(last);
    this.#down(last);
  }

  #arm(time: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = time;
    // A deadline alone keeps no process alive: what waits for the answer does.
    this.#timer = setTimeout(() => this.#fire(), Math.min(LONGEST_MS, Math.max(1, Math.ceil(time - Date.now())))).unref();
  }

  #fire(): void {
    this.#firesAt = Number.POSITIVE_INFINITY;
    const now = Date.now();
    for (let first = this.#heap[0]; first !== undefined && at(first) <= now; first = this.#heap[0]) {
      this.remove(first);
      first.onDeadline();
    }
    const next = this.#heap[0];
    if (next !== undefined && at(next) < this.#firesAt) this.#arm(at(next));
  }

  #up(one: Timed): void {
    const heap = this.#heap;
    while (one.place > 0) {
      const above = heap[(one.place - 1) >> 1] as Timed;
      if (at(above) <= at(one)) return;
      this.#swap(above, one);
    }
  }

  #down(one: Timed): void {
    const heap = this.#heap;
    for (;;) {
      const left = heap[2 * one.place + 1];
      const right = heap[2 * one.place + 2];
      if (left === undefined) return;
      const least = right !== undefined && at(right) < at(left) ? right : left;
      if (at(one) <= at(least)) return;
      this.#swap(one, least);
    }
  }

  /** `upper` goes down, `lower` goes up. */
  #swap(upper: Timed, lower: Timed): void {
    const { place } = upper;
    upper.place = lower.place;
    lower.place = place;
    this.#heap[upper.place] = upper;
    this.#heap[place] = lower;
  }
}

function at(one: Timed): number {
  return one.deadline as number;
}
