import type { Entry } from "./entry.ts";

/** What was lent before a seek and stays lent, while its group reads on elsewhere. The disk knows nothing of it. */
export class Strays {
  readonly #lent = new Map<number, Entry>();
  /** Acknowledged ahead of the cursor. */
  readonly #passed = new Set<number>();

  get(pos: number): Entry | undefined {
    return this.#lent.get(pos);
  }

  values(): IterableIterator<Entry> {
    return this.#lent.values();
  }

  add(entry: Entry): void {
    this.#lent.set(entry.pos, entry);
  }

  /** What was acknowledged must be read again after another seek. */
  forgetPassed(): void {
    this.#passed.clear();
  }

  /** The cursor reaches `pos`. True: it was acknowledged already. */
  takePassed(pos: number): boolean {
    return this.#passed.delete(pos);
  }

  /** Takes away one that the cursor has reached, or that was given back: the cursor will reach it, or is past it for good. */
  remove(pos: number): boolean {
    return this.#lent.delete(pos);
  }

  /** False: it is none. */
  acked(pos: number, next: number): boolean {
    if (!this.#lent.delete(pos)) return false;
    if (pos >= next) this.#passed.add(pos);
    return true;
  }
}
