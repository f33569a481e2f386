import type { PubSubError } from "./error.ts";

/** A message on its way to the broker. `done` is a method of the caller's own object, so that a message costs no closure. */
export interface Outgoing {
  readonly topic: string;
  /** Stored as it is, byte for byte (D11). May be empty. Must not change until `done`. */
  readonly data: Uint8Array;
  /**
   * What travels beside the bytes (D12): the publisher's metadata and the engine's own entries. Any Unicode text in names and
   * values; a component whose broker cannot take one escapes it reversibly.
   */
  readonly attributes: Readonly<Record<string, string>>;
  /** Messages of one key keep their order where the component's `ordering` says so. */
  readonly key?: string;
  /** Milliseconds since the epoch. A broker with `ttl` may drop the message from then on; the engine checks again at each hand-over (D14). */
  readonly expiresAt?: number;
  /** Milliseconds since the epoch: not to be lent before. Only with the capability `delay`. */
  readonly notBefore?: number;
  /**
   * The broker's de-duplication id. Only when the publisher asked for it; for a dead letter it is group and origin position.
   * Never the event's id: two sources may share one, and a dead letter or a redrive repeats it.
   */
  readonly dedupId?: string;
  /**
   * Called exactly once a message, in any order within the batch.
   * - No error: the broker has the message as safely as its settings allow (D1), at `position` where it has positions.
   * - An error: its `outcome` says whether the message may be there all the same.
   * A keyed message must not succeed if an earlier one of its key in the same call failed.
   */
  done(error?: PubSubError, position?: string): void;
}
