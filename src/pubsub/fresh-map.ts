/** Deletions after which a map is made anew, beside one for each entry. */
const STALE = 256;

/**
 * A Map for what comes and goes without end. A plain one leaves a trail of outgrown tables behind, each pointing to the next; once one of them is
 * old, V8 keeps what all later ones held until the next full collection, and a message that lived for milliseconds is copied and kept for seconds.
 */
export class FreshMap<Key, Value> {
  #map = new Map<Key, Value>();
  #deleted = 0;

  get size(): number {
    return this.#map.size;
  }

  get(key: Key): Value | undefined {
    return this.#map.get(key);
  }

  has(key: Key): boolean {
    return this.#map.has(key);
  }

  set(key: Key, value: Value): void {
    this.#map.set(key, value);
  }

  delete(key: Key): boolean {
    if (!this.#map.delete(key)) return false;
    this.#deleted += 1;
    if (this.#deleted >= STALE + this.#map.size) {
      this.#deleted = 0;
      this.#map = new Map(this.#map);
    }
    return true;
  }

  /** As they were put in. */
  keys(): IterableIterator<Key> {
    return this.#map.keys();
  }

  values(): IterableIterator<Value> {
    return this.#map.values();
  }
}
