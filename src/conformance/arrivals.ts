/** How long a behaviour waits for what must come, unless the harness says otherwise: long enough for any broker. */
export const PATIENCE_MS = 15_000;

/** What came, in its order, kept until a behaviour asks for it. */
export class Arrivals<T> {
  readonly all: T[] = [];
  readonly #words: (one: T) => string;
  readonly #patienceMs: number;
  #taken = 0;
  #wake: () => void = () => undefined;

  /** `words` says what one was, when others are missed. */
  constructor(words: (one: T) => string, patienceMs = PATIENCE_MS) {
    this.#words = words;
    this.#patienceMs = patienceMs;
  }

  add(...more: readonly T[]): void {
    this.all.push(...more);
    this.#wake();
  }

  /** The next `count`. Rejects, saying what came, when they do not come in time. */
  async next(count: number): Promise<readonly T[]> {
    const from = this.#taken;
    await this.#until(() => this.all.length >= from + count, `${count} more`);
    this.#taken = from + count;
    return this.all.slice(from, this.#taken);
  }

  #until(done: () => boolean, what: string): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`waited ${this.#patienceMs} ms for ${what}; so far came [${this.all.map(this.#words).join(", ")}]`));
      }, this.#patienceMs);
      this.#wake = () => {
        if (!done()) return;
        clearTimeout(timer);
        this.#wake = () => undefined;
        resolve();
      };
    });
  }
}
