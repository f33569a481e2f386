/** All calls to one app, over its subscriptions. While a message is suspected of killing the app, suspects are called alone and one at a time (D4). */
export class Flight {
  readonly #pumps = new Set<() => void>();
  #running = 0;
  #suspects = 0;

  /** `pump` starts what may be started now. The returned function ends that. */
  join(pump: () => void): () => void {
    this.#pumps.add(pump);
    return () => this.#pumps.delete(pump);
  }

  /** Suspects are waiting: nothing else may be started. */
  get suspicious(): boolean {
    return this.#suspects > 0;
  }

  get empty(): boolean {
    return this.#running === 0;
  }

  began(): void {
    this.#running += 1;
  }

  ended(): void {
    this.#running -= 1;
  }

  suspected(): void {
    this.#suspects += 1;
  }

  cleared(): void {
    this.#suspects -= 1;
    if (this.#suspects === 0) this.goOn();
  }

  /** The last call ended: others may have been waiting for that. */
  goOn(): void {
    for (const pump of [...this.#pumps]) pump();
  }
}
