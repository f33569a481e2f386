/** Whoever waits until something is different, whatever it is, and then looks again. */
export class Changes {
  readonly #waiting = new Set<() => void>();

  /** Something is different. */
  tell(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const look of waiting) look();
  }

  /** Resolves with the next change, and when `signal` aborts. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        signal.removeEventListener("abort", look);
        this.#waiting.delete(look);
        resolve();
      };
      if (signal.aborted) return look();
      signal.addEventListener("abort", look);
      this.#waiting.add(look);
    });
  }
}
