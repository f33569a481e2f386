import type { Clock } from "../pubsub/clock.ts";

/** A clock that moves when it is told to. Chance is always the middle: 0.5. */
export class SteppedClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ readonly at: number; readonly fn: () => void }>();

  /** Default: it starts now, as a broker that has its own time needs it. */
  constructor(startsAt = Date.now()) {
    this.#now = startsAt;
  }

  /** How many wait. */
  get timers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  elapsed(): number {
    return this.#now;
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#now + ms, fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  random(): number {
    return 0.5;
  }

  /** Runs what falls due on the way, in the order of time. */
  advance(ms: number): void {
    const until = this.#now + ms;
    while (true) {
      const [next] = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fn();
    }
    this.#now = until;
  }
}
