/** The names of gRPC's status codes that an app may fail with. */
export const STATUS_CODES = [
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

/** What becomes of a message that the app could not process. */
export interface RetryPolicy {
  /** The wait after the first failure, in milliseconds; it doubles with each further one. The same as `mostMs`: a constant wait. */
  readonly firstMs: number;
  readonly mostMs: number;
  /** So many failures, and it goes to the dead-letter topic. Without one it is tried for ever (D2). */
  readonly maxFailures: number;
  /** Names of gRPC status codes after which trying again is pointless. They only count with a dead-letter topic. */
  readonly permanent: readonly string[];
}

/** Leaves an app alone that fails all that it gets. */
export interface BreakerPolicy {
  /** So many failures in a row, over all messages of the subscription. */
  readonly failures: number;
  readonly pauseMs: number;
}

/** How the messages of one subscription are handed to the app. */
export interface DeliveryPolicy {
  /** Most calls to the app at once. */
  readonly maxInFlight: number;
  /** The window: most messages and bytes lent at once, backoff included (D3). */
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  /** How long one call may take, in milliseconds (D5). */
  readonly processingTimeoutMs: number;
  readonly retry: RetryPolicy;
  readonly breaker?: BreakerPolicy | undefined;
  /** Most calls a second. */
  readonly rate?: number | undefined;
}
