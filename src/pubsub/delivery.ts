import type { Outgoing } from "./outgoing.ts";

/**
 * A message lent to us by the broker. The component keeps the lease of all that it lent, in its broker's own batches, until it is settled
 * or reported `lost`; the engine never asks for more time.
 *
 * `ack`, `release`, `retry` and `move` settle. The first settlement wins and returns true; false means: already settled, or lost.
 * Settlements are queued: `Subscription.flush` tells when they stand at the broker.
 */
export interface Delivery {
  /** The concrete topic, also under a wildcard. */
  readonly topic: string;
  /** The same on every redelivery and unique in the topic. Absent where the broker has none (RabbitMQ, MQTT). */
  readonly position?: string;
  /** The bytes that were published. A foreign entry without them is delivered as the bytes of a JSON object of its fields, never skipped (D13). */
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  /** Milliseconds since the epoch, by the broker's clock. */
  readonly publishedAt?: number;
  /** Times the broker handed it out, this one included. Crashes and give-backs count: never dead-letter on this number alone. */
  readonly deliveries?: number;
  /** Failures that `retry` or `keep` recorded. They survive a restart. Present where `attempts` is `exact`. */
  readonly failures?: number;
  /** A retry that was under way when its last owner died: hand it to the app no earlier. Milliseconds since the epoch. */
  readonly notBefore?: number;

  /** Done with: it never comes again. */
  ack(): boolean;
  /**
   * Not tried. Give it back now, to anybody, uncounted where the broker can. Failures recorded before stay recorded. In an ordered group it
   * comes again before anything behind it that is not lent yet, or that would pass it by.
   */
  release(): boolean;
  /** Failed for the `failures`-th time: the broker lends it again after `delayMs`. Present with `delayedRetry`. */
  retry?(delayMs: number, failures: number): boolean;
  /** Failed, but stays with us: records the count, settles nothing. Present where `attempts` is `exact`. */
  keep?(failures: number): void;
  /** Stores `copy` and acks, in one atomic step where the broker has one. `copy.done` tells the outcome; on an error nothing was acked. After an unknown outcome, `lost` may mean that the copy stands. */
  move?(copy: Outgoing): boolean;
}
