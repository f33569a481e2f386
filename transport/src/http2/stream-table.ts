const FIRST_SLOTS = 64;

/**
 * The open streams of a connection by number: a hash table with linear probing. A Map, from which calls come and go without end, leaves a trail of
 * outgrown tables behind, each pointing to the next; once one of them is old, V8 keeps what all later ones held until the next full collection.
 */
export class StreamTable<Stream extends { readonly id: number }> {
  size = 0;
  #slots: (Stream | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);
  #mask = FIRST_SLOTS - 1;

  get(id: number): Stream | undefined {
    for (let at = (id >>> 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const stream = this.#slots[at];
      if (stream === undefined || stream.id === id) return stream;
    }
  }

  /** There must be none with this number. */
  add(stream: Stream): void {
    if (2 * (this.size + 1) > this.#slots.length) this.#grow();
    this.size += 1;
    this.#put(stream);
  }

  delete(id: number): void {
    let hole = (id >>> 1) & this.#mask;
    for (;;) {
      const stream = this.#slots[hole];
      if (stream === undefined) return;
      if (stream.id === id) break;
      hole = (hole + 1) & this.#mask;
    }
    this.size -= 1;
    // What stands behind the hole and belongs before it moves up, so that no search ends too early.
    for (let at = (hole + 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const stream = this.#slots[at];
      if (stream === undefined) break;
      const home = (stream.id >>> 1) & this.#mask;
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      this.#slots[hole] = stream;
      hole = at;
    }
    this.#slots[hole] = undefined;
  }

  /** In the order of their numbers. */
  all(): Stream[] {
    return this.#slots.filter((stream) => stream !== undefined).sort((a, b) => a.id - b.id);
  }

  #put(stream: Stream): void {
    let at = (stream.id >>> 1) & this.#mask;
    while (this.#slots[at] !== undefined) at = (at + 1) & this.#mask;
    this.#slots[at] = stream;
  }

  #grow(): void {
    const streams = this.all();
    this.#slots = new Array(2 * this.#slots.length).fill(undefined);
    this.#mask = this.#slots.length - 1;
    for (const stream of streams) this.#put(stream);
  }
}
