import type { DeliveryPolicy } from "../../resiliency/policy.ts";

/** What a subscription gets where nothing is configured. */
export const POLICY: DeliveryPolicy = {
  maxInFlight: 64,
  maxPending: 1_000,
  maxPendingBytes: 16 * 2 ** 20,
  processingTimeoutMs: 900_000,
  retry: { firstMs: 1_000, mostMs: 60_000, maxFailures: 10, permanent: [] },
};
