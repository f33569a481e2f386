import type { Delivery } from "../pubsub/delivery.ts";
import { FreshMap } from "../pubsub/fresh-map.ts";

/** Of so many messages; of those beyond it the oldest is forgotten, and begins again. */
const MOST = 10_000;

/** How often messages failed that were given back to a broker which keeps no count (D3), by position, until they are settled. */
export class RememberedFailures {
  readonly #failures = new FreshMap<string, number>();

  /** `delivery` is about to be given back after so many failures. */
  keep({ position, failures: counted }: Delivery, failures: number): void {
    if (counted !== undefined || position === undefined || failures === 0) return;
    this.#failures.delete(position);
    this.#failures.set(position, failures);
    if (this.#failures.size <= MOST) return;
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined) this.#failures.delete(oldest);
  }

  /** What was kept of it, or what the broker says. */
  of({ position, failures: counted = 0 }: Delivery): number {
    if (this.#failures.size === 0 || position === undefined) return counted;
    return Math.max(counted, this.#failures.get(position) ?? 0);
  }

  /** It is settled for good. */
  forget({ position }: Delivery): void {
    if (this.#failures.size > 0 && position !== undefined) this.#failures.delete(position);
  }
}
