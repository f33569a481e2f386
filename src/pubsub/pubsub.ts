import type { Admin } from "./admin.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Sink, SubscribeRequest, Subscription } from "./subscription.ts";

/**
 * What every message broker looks like from here. A component moves bytes, keeps the leases of what it lent, and settles.
 *
 * It never retries a publish or an event, never dead-letters, never decodes an envelope and never logs: the engine does, once for all
 * brokers. It does reconnect: a lost connection is made again by the component, with backoff, for as long as it is open. It never
 * queues while disconnected: an operation that finds no connection fails at once with code `unavailable` and outcome `rejected`.
 * Every error it reports is a `PubSubError`.
 */
export interface PubSub {
  /** Never more than the definition claimed. May narrow once the server has been reached. */
  readonly capabilities: Capabilities;
  /**
   * Stores messages. Returns at once; each message's `done` tells its own result. Never throws. The batch is not larger than
   * `maxBatch` and `maxBatchBytes`; at most `publishPipeline` calls are under way at once, and `slowCalls` that take long. The array is the caller's: copy what is kept.
   * When `signal` aborts, what has not gone out fails as `rejected`, and what has fails as `unknown`, both promptly.
   */
  publish(batch: readonly Outgoing[], signal: AbortSignal): void;
  /**
   * Joins `request.group` on `request.topic`, creating the topic and the group as `ensure` does. Rejects when the broker cannot be
   * reached now, or refuses: the engine tries again.
   */
  subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription>;
  /** Creates or checks a topic and its groups, never re-shapes what exists (D16). Idempotent. */
  ensure(topic: string, groups: readonly SubscribeRequest[], signal: AbortSignal): Promise<void>;
  /** Settings of the server that break or weaken D1 or D2. Rejects when the server cannot be reached. */
  inspect(signal: AbortSignal): Promise<readonly Finding[]>;
  /** Resolves when the broker answers. */
  ping(signal: AbortSignal): Promise<void>;
  /** Ends everything: open subscriptions as by their `close`, then connections, files and timers. Idempotent. */
  close(signal: AbortSignal): Promise<void>;
  readonly admin?: Admin | undefined;
}

/** One thing that `inspect` found. */
export interface Finding {
  /** `refuse`: messages would be lost; the component is not used until it is mended. `warn`: works, with less than the user may think. */
  readonly level: "refuse" | "warn";
  /** Stable and readable, such as `redis.maxmemory-policy`. */
  readonly id: string;
  /** What is set, and what that means, in one sentence. */
  readonly found: string;
  /** What to do about it, in one sentence. */
  readonly remedy: string;
}
