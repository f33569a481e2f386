/** What an entry counts beside its name and its value (RFC 7541 4.1). */
export const ENTRY_OVERHEAD = 32;

/** The smallest ring; a power of two, as every other is. */
const FIRST_RING = 16;

/** The dynamic table (RFC 7541 2.3.2): a ring of entries, the newest of which has the index 1. */
export class DynamicTable {
  /** Changes whenever an index might mean something else than before. */
  changes = 0;
  /** How many entries there are. */
  count = 0;
  /** The sum of the entries' sizes in bytes. */
  bytes = 0;
  /** The most that `bytes` may be. */
  maxBytes: number;
  readonly #evicted: ((name: string, value: string) => void) | undefined;
  /** Name and value of slot i are at 2i and 2i + 1. */
  #ring: string[] = new Array<string>(FIRST_RING * 2).fill("");
  #mask = FIRST_RING - 1;
  /** The slot of the newest entry. */
  #newest = 0;

  /** `evicted` is told each entry that leaves, the oldest first. */
  constructor(maxBytes: number, evicted?: (name: string, value: string) => void) {
    this.maxBytes = maxBytes;
    this.#evicted = evicted;
  }

  /** `index` is from 1, the newest, to `count`. */
  name(index: number): string {
    return this.#ring[((this.#newest + 1 - index) & this.#mask) * 2] as string;
  }

  value(index: number): string {
    return this.#ring[((this.#newest + 1 - index) & this.#mask) * 2 + 1] as string;
  }

  /** Adds an entry after making room. One that is bigger than the table empties it and is not in it (RFC 7541 4.4). */
  add(name: string, value: string): void {
    this.changes++;
    const size = name.length + value.length + ENTRY_OVERHEAD;
    this.#evictTo(this.maxBytes - size);
    if (size > this.maxBytes) return;
    if (this.count > this.#mask) this.#grow();
    const slot = (this.#newest + 1) & this.#mask;
    this.#ring[slot * 2] = name;
    this.#ring[slot * 2 + 1] = value;
    this.#newest = slot;
    this.count++;
    this.bytes += size;
  }

  /** Sets `maxBytes` and evicts what no longer has room (RFC 7541 4.3). */
  resize(maxBytes: number): void {
    this.changes++;
    this.maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  #evictTo(bytes: number): void {
    while (this.bytes > bytes && this.count > 0) {
      const slot = (this.#newest + 1 - this.count) & this.#mask;
      const name = this.#ring[slot * 2] as string;
      const value = this.#ring[slot * 2 + 1] as string;
      // The ring must not keep alive what is no longer in the table.
      this.#ring[slot * 2] = "";
      this.#ring[slot * 2 + 1] = "";
      this.count--;
      this.bytes -= name.length + value.length + ENTRY_OVERHEAD;
      this.#evicted?.(name, value);
    }
  }

  #grow(): void {
    const ring = new Array<string>(this.#ring.length * 2).fill("");
    for (let slot = 0; slot < this.count; slot++) {
      ring[slot * 2] = this.name(this.count - slot);
      ring[slot * 2 + 1] = this.value(this.count - slot);
    }
    this.#ring = ring;
    this.#mask = ring.length / 2 - 1;
    this.#newest = this.count - 1;
  }
}
