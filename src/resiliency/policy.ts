/** The names of gRPC's status codes that an app may fail with. What a broker may fail with are the error codes. */
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

/** What becomes of a message that the app could not process, or the broker not take. */
export interface RetryPolicy {
  /** The wait after the first failure, in milliseconds. */
  readonly firstMs: number;
  readonly mostMs: number;
  /** The wait grows so many times with each further failure; 1: it is constant. Default: 2. */
  readonly factor?: number;
  /** So many failures, and it is given up: a publish fails, a delivery goes to its dead-letter topic. Without one that is tried for ever (D2). */
  readonly maxFailures: number;
  /** Names of gRPC status codes after which trying again is pointless. For deliveries they only count with a dead-letter topic. */
  readonly permanent: readonly string[];
}

/** Leaves alone who fails everything: the app of a subscription, or a broker that is published to. */
export interface BreakerPolicy {
  /** So many failures in a row: over all messages of the subscription, or calls of the broker. */
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

/** How the publishes of one component are handed to its broker. */
export interface PublishPolicy {
  /** How long one may wait for the broker, tries included, in milliseconds. The caller's deadline may shorten it (D9). */
  readonly timeoutMs: number;
  /** Whether one whose outcome is unknown is tried again without a `dedupId`. */
  readonly duplicates: "allow" | "refuse";
  readonly retry: RetryPolicy;
  readonly breaker?: BreakerPolicy | undefined;
  /** Most messages a second. What is beyond waits for its turn. */
  readonly rate?: number | undefined;
}
