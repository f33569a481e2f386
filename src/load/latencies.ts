import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

/** Microseconds. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How long things took: recorded in a few nanoseconds, and told to within a thousandth. */
export class Latencies {
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 3 });

  /** Milliseconds. */
  record(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * 1_000)));
  }

  get count(): number {
    return this.#histogram.count;
  }

  get quantiles(): Quantiles {
    const { count } = this.#histogram;
    if (count === 0) return { p50: 0, p99: 0, max: 0 };
    return { p50: this.#histogram.percentile(50), p99: this.#histogram.percentile(99), max: this.#histogram.max };
  }
}
