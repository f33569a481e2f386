import type { Doorbell, Watcher } from "./doorbell.ts";

/** Most doorbells, and so connections, of one server in a cluster. */
const MOST = 16;

/**
 * The doorbells of one server. One call waits for streams of one slot. A single server has no slots, and needs one doorbell; one of a
 * cluster gets another for each slot that is waited for, up to a bound. Beyond it slots share a doorbell, which then asks them in turn.
 */
export class Doorbells {
  readonly #all: Doorbell[];
  readonly #make: () => Doorbell;
  #slotOf: ((stream: string) => number) | undefined;
  readonly #bySlot = new Map<number, Doorbell>();

  /** `make` is called for each one that comes beside the `first`. Without `slotOf` there are no slots. */
  constructor(first: Doorbell, make: () => Doorbell, slotOf: ((stream: string) => number) | undefined) {
    this.#all = [first];
    this.#make = make;
    this.#slotOf = slotOf;
  }

  wait(watcher: Watcher): void {
    this.#of(watcher.stream).wait(watcher);
  }

  /** Makes none: nobody would wait at it, and whoever forgets may do so after the end. */
  forget(watcher: Watcher): void {
    const doorbell = this.#slotOf ? this.#bySlot.get(this.#slotOf(watcher.stream)) : this.#all[0];
    doorbell?.forget(watcher);
  }

  /** There are slots after all. */
  split(slotOf: (stream: string) => number): void {
    this.#slotOf = slotOf;
    const [first] = this.#all;
    for (const watcher of first?.release() ?? []) this.wait(watcher);
  }

  close(): void {
    for (const doorbell of this.#all) doorbell.close();
  }

  #of(stream: string): Doorbell {
    const [first] = this.#all as [Doorbell];
    if (!this.#slotOf) return first;
    const slot = this.#slotOf(stream);
    let doorbell = this.#bySlot.get(slot);
    if (!doorbell) {
      doorbell = this.#bySlot.size === 0 ? first : this.#next();
      this.#bySlot.set(slot, doorbell);
    }
    return doorbell;
  }

  #next(): Doorbell {
    const another = this.#all[this.#bySlot.size % MOST];
    if (another) return another;
    const made = this.#make();
    this.#all.push(made);
    return made;
  }
}
