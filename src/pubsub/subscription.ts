import type { Delivery } from "./delivery.ts";
import type { PubSubError } from "./error.ts";

/** Where a group begins. Only looked at when the group does not exist yet. */
export type Start = "earliest" | "latest" | { readonly time: number } | { readonly position: string };

/** `none`: as fast as possible. `key`: one after the other per key. `topic`: one after the other. (D6) */
export type Order = "none" | "key" | "topic";

export interface SubscribeRequest {
  readonly topic: string;
  /** Subscribers of one group share the messages; each group gets all of them. */
  readonly group: string;
  readonly start: Start;
  readonly order: Order;
  /** A broadcast replica's own group: the broker drops it this long after its last reader. Milliseconds. */
  readonly expiresAfterMs?: number;
  /** The subscription's metadata: what only this broker understands. Unknown entries are ignored. */
  readonly options: Readonly<Record<string, string>>;
}

/**
 * The engine's side of a subscription. Every method is called synchronously and never throws; a settlement may come back from
 * within `deliver` itself.
 */
export interface Sink {
  /** Lends messages. Never more in total than the window allows. */
  deliver(batch: readonly Delivery[]): void;
  /** These will be taken away (a partition revoked, a broker draining): settle what you can before `deadline`; then `lost` follows. */
  revoking(batch: readonly Delivery[], deadline: AbortSignal): Promise<void>;
  /** No longer ours: lease gone, channel closed. What was not yet handed to the app is dropped; a running call's verdict goes nowhere. */
  lost(batch: readonly Delivery[], error: PubSubError): void;
  /**
   * Nothing can be read for now, leases kept: the broker is out of reach and the component is reconnecting, or another reader is in the way
   * (an error); or it goes on (none). Shown in health (D9).
   */
  interrupted(error?: PubSubError): void;
}

export interface Subscription {
  /**
   * Up to so many messages and bytes may be lent at once: running, waiting and backing off. Both are 0 until the first call, so that
   * nothing arrives before the engine is ready; `window(0, 0)` pauses. While fewer bytes are lent than that, one more message may be, whatever
   * its size: what waits for another try must keep no larger one out.
   * What one broker fetch brings beyond the window stays in the component, leased.
   */
  window(messages: number, bytes: number): void;
  /** Resolves when every settlement so far stands at the broker. Rejects with a PubSubError when `signal` aborts first. */
  flush(signal: AbortSignal): Promise<void>;
  /**
   * Stops fetching, gives back what was fetched and never lent, flushes, and leaves the group (which stays, for its next reader).
   * What is still lent and unsettled is left to its lease: the engine released before this call what it wanted released (D8).
   * Rejects with a PubSubError when `signal` aborts first; the subscription is over all the same. May be called more than once.
   */
  close(signal: AbortSignal): Promise<void>;
  /**
   * Resolves once, when the reader is dead: with an error when it died, without one after `close`. All unsettled deliveries were
   * reported `lost` before an error. Losing a connection and reconnecting with the leases kept is not death.
   */
  readonly closed: Promise<PubSubError | undefined>;
  /** What waits for this group, whoever has it. */
  backlog?(signal: AbortSignal): Promise<Backlog>;
}

/** A field is undefined where the broker does not say. */
export interface Backlog {
  /** Not yet acknowledged. */
  readonly messages: number | undefined;
  /** The age of the oldest, in milliseconds. */
  readonly oldestMs: number | undefined;
  /** Of `messages`, those that this reader could be lent, where parts of the topic are divided among readers. Default: all. */
  readonly here?: number;
}
