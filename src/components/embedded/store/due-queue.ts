/** Positions by the time at which they are due: a binary heap in two parallel arrays. */
export class DueQueue {
  readonly #due: number[] = [];
  readonly #positions: number[] = [];

  /** When the next one is due. */
  get next(): number | undefined {
    return this.#due[0];
  }

  push(due: number, position: number): void {
    let index = this.#due.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#at(parent) <= due) break;
      this.#set(index, this.#at(parent), this.#positions[parent] as number);
      index = parent;
    }
    this.#set(index, due, position);
  }

  /** Takes one that is due at `now`, if there is one. */
  pop(now: number): number | undefined {
    if (this.#due.length === 0 || this.#at(0) > now) return undefined;
    const position = this.#positions[0];
    const due = this.#due.pop() as number;
    const moved = this.#positions.pop() as number;
    const length = this.#due.length;
    if (length === 0) return position;
    let index = 0;
    for (let child = 1; child < length; child = 2 * index + 1) {
      if (child + 1 < length && this.#at(child + 1) < this.#at(child)) child++;
      if (this.#at(child) >= due) break;
      this.#set(index, this.#at(child), this.#positions[child] as number);
      index = child;
    }
    this.#set(index, due, moved);
    return position;
  }

  clear(): void {
    this.#due.length = 0;
    this.#positions.length = 0;
  }

  #at(index: number): number {
    return this.#due[index] as number;
  }

  #set(index: number, due: number, position: number): void {
    this.#due[index] = due;
    this.#positions[index] = position;
  }
}
