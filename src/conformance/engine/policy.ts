import type { DeliveryPolicy, PublishPolicy } from "../../resiliency/policy.ts";

/** What a subscription gets where nothing is configured. */
export const POLICY: DeliveryPolicy = {
  maxInFlight: 64,
  maxPending: 1_000,
  maxPendingBytes: 16 * 2 ** 20,
  processingTimeoutMs: 900_000,
  retry: { firstMs: 1_000, mostMs: 60_000, maxFailures: 10, permanent: [] },
};

/** What a component gets where nothing is configured. */
export const PUBLISHING: PublishPolicy = {
  timeoutMs: 5_000,
  duplicates: "allow",
  retry: { firstMs: 50, mostMs: 1_000, maxFailures: Number.POSITIVE_INFINITY, permanent: [] },
};
