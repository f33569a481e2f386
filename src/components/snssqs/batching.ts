import type { Lease } from "./lease.ts";
import { MOST_ENTRIES } from "./limits.ts";

type Batch = readonly Lease[];

export function chunks(leases: readonly Lease[]): readonly Batch[] {
  const result: Batch[] = [];
  for (let i = 0; i < leases.length; i += MOST_ENTRIES) result.push(leases.slice(i, i + MOST_ENTRIES));
  return result;
}

/**
 * Rows of batches: those of a row go out one after the other, the rows side by side. A key's leases are in one batch, or in one row, in their
 * order: with a later one settled and an earlier one not, a crash would bring the earlier again alone.
 */
export function rows(leases: readonly Lease[]): readonly (readonly Batch[])[] {
  const keys = new Map<unknown, Lease[]>();
  for (const lease of leases) {
    // One without a key is in no order: it stands for itself.
    const key = lease.key ?? lease;
    const others = keys.get(key);
    if (others) others.push(lease);
    else keys.set(key, [lease]);
  }
  const result: (readonly Batch[])[] = [];
  let batch: Lease[] = [];
  for (const ofKey of keys.values()) {
    if (ofKey.length > MOST_ENTRIES) {
      result.push(chunks(ofKey));
      continue;
    }
    if (batch.length + ofKey.length > MOST_ENTRIES) {
      result.push([batch]);
      batch = [];
    }
    batch.push(...ofKey);
  }
  if (batch.length > 0) result.push([batch]);
  return result;
}
