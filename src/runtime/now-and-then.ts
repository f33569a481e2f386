import type { Clock } from "../pubsub/clock.ts";

const MINUTE_MS = 60_000;

/** Of what may happen at any rate, tells the first at once, and then at most one a minute, with how many it stands for. */
export class NowAndThen {
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { next: number; untold: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `tell` gets the number of those of this kind that were not told of, this one included. */
  happened(kind: string, tell: (times: number) => void): void {
    const now = this.#clock.elapsed();
    const known = this.#kinds.get(kind) ?? { next: now, untold: 0 };
    this.#kinds.set(kind, known);
    known.untold += 1;
    if (now < known.next) return;
    tell(known.untold);
    known.next = now + MINUTE_MS;
    known.untold = 0;
  }
}
