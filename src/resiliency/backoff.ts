/** How long to wait before trying again. */
export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
  /** Default: 2. */
  readonly factor?: number;
}

/** Those who failed together must not come back together: each wait is up to a fifth shorter or longer. */
const JITTER = 0.2;

/** The wait after the `failures`-th failure in a row (1 or more): growing, bounded, spread. `random` is in [0, 1). */
export function waitMs(backoff: Backoff, failures: number, random: number): number {
  // No wait stays none, however far the power goes.
  const times = Math.min((backoff.factor ?? 2) ** (failures - 1), Number.MAX_VALUE);
  const plain = Math.min(backoff.mostMs, backoff.firstMs * times);
  return plain * (1 + JITTER * (2 * random - 1));
}
