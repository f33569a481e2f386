/** Durations in seconds: fine below a millisecond, where a sidecar lives, up to a minute. */
export const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Messages of a batch. */
export const MESSAGES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000];

/** How often values were how large. An observation is a handful of comparisons and two additions: it stands on the hot path. */
export class Histogram {
  /** Upper bounds, ascending; what is above the last has a place of its own. */
  readonly bounds: readonly number[];
  /** Observations by the first bound that is not below them. One more than there are bounds. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let place = 0;
    while (place < this.bounds.length && value > (this.bounds[place] ?? 0)) place += 1;
    this.counts[place] = (this.counts[place] ?? 0) + 1;
    this.sum += value;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}
