/** How long to wait before trying again. */
export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
  /** 0.2 spreads each wait by ±20 %, so that those who failed together do not come back together. */
  readonly jitter: number;
}

/** The wait after the `failures`-th failure in a row (1 or more): doubling, bounded, spread. `random` is in [0, 1). */
export function waitMs(backoff: Backoff, failures: number, random: number): number {
  const plain = Math.min(backoff.mostMs, backoff.firstMs * 2 ** (failures - 1));
  return plain * (1 + backoff.jitter * (2 * random - 1));
}
