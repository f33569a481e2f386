import { DueQueue } from "./due-queue.ts";

/** The longest that a retry can be put off. */
export const MAX_DELAY_MS = 30 * 86_400_000;

/** What a group has to lend again: the lowest position first, a delayed one when its time has come. May name what was settled meanwhile. */
export class Redelivery {
  readonly #waiting = new DueQueue();
  /** Descending when sorted. */
  #ready: number[] = [];
  #sorted = true;

  /** When the next delayed one is due, on the monotonic clock. */
  get nextDue(): number | undefined {
    return this.#waiting.next;
  }

  add(pos: number): void {
    this.#ready.push(pos);
    this.#sorted = false;
  }

  addLater(due: number, pos: number): void {
    this.#waiting.push(due, pos);
  }

  /** One that was delayed before, until `due` by the wall clock. It waits from now, for at most as long as a retry can: clocks jump. */
  addDelayed(due: number, pos: number, now: number, elapsed: number): void {
    this.addLater(elapsed + Math.min(due - now, MAX_DELAY_MS), pos);
  }

  peek(elapsed: number): number | undefined {
    for (let pos = this.#waiting.pop(elapsed); pos !== undefined; pos = this.#waiting.pop(elapsed)) this.add(pos);
    if (!this.#sorted) {
      this.#ready.sort((a, b) => b - a);
      this.#sorted = true;
    }
    return this.#ready.at(-1);
  }

  /** Takes away what `peek` showed. */
  drop(): void {
    this.#ready.pop();
  }

  /** Takes away all that are delayed. */
  takeDelayed(): readonly number[] {
    const delayed: number[] = [];
    for (let pos = this.#waiting.pop(Number.POSITIVE_INFINITY); pos !== undefined; pos = this.#waiting.pop(Number.POSITIVE_INFINITY)) {
      delayed.push(pos);
    }
    return delayed;
  }

  /** Brings forward what has, by another clock, less time to wait: `left` tells how much that is. */
  hasten(elapsed: number, left: (pos: number) => number): void {
    const delayed: (readonly [due: number, pos: number])[] = [];
    for (let due = this.#waiting.next; due !== undefined; due = this.#waiting.next) {
      const pos = this.#waiting.pop(due) as number;
      delayed.push([Math.min(due, elapsed + left(pos)), pos]);
    }
    for (const [due, pos] of delayed) this.#waiting.push(due, pos);
  }

  clear(): void {
    this.#waiting.clear();
    this.#ready = [];
  }
}
