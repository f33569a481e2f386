import type { Order } from "./subscription.ts";

/**
 * What a component can do, as data, declared once: read by the engine, the conformance suite, the docs and the CLI.
 * A component claims them from its configuration and narrows them by what the server allows; it never widens a claim.
 */
export interface Capabilities {
  /**
   * The finest order that a subscription may ask for (D6). `key` and `topic`: messages of an ordered group are lent in their order, to as
   * many readers as `orderedReplicas` says, each key or partition to one; whoever takes over begins with what is unsettled.
   */
  readonly ordering: "none" | "key" | "topic";
  /** The order of a subscription that asks for none (D6): what the users of this broker are used to. Absent: `none`. */
  readonly defaultOrder?: Order;
  /** The next message of a key is lent only once the one before it is settled. Else it may be lent before: the engine lets it wait. */
  readonly holdsKeys: boolean;
  /** Replicas that can share one ordered group. `one` is active-standby. */
  readonly orderedReplicas: "one" | "many";
  /** `retry(delay)`: absent; present for messages without a key; or present and holding back the message's key. */
  readonly delayedRetry: "none" | "unordered" | "ordered";
  /** The longest delay of `retry`, in milliseconds: the engine asks for no longer one. */
  readonly maxDelayMs: number;
  /** `exact`: `failures` survives. `deliveries`: only a count of hand-outs. `none`: neither. */
  readonly attempts: "exact" | "deliveries" | "none";
  /** Deliveries have a `position`. */
  readonly position: boolean;
  /** How long a message can be held: milliseconds from receipt; for ever (`Infinity`); until the connection ends; until a rebalance. */
  readonly hold: number | "connection" | "partition";
  /** Messages published before the first group exists are kept for it. */
  readonly keepsWithoutGroup: boolean;
  /** How long messages of a topic that has no group are kept, in milliseconds. Absent: as those of any other. */
  readonly ungroupedRetentionMs?: number;
  /** Messages and groups outlive a restart of the broker. */
  readonly durable: boolean;
  /** How long a message is kept for a group that does not read, in milliseconds. undefined: for ever. */
  readonly retentionMs: number | undefined;
  /** Attributes travel natively (else the component wraps them). Either way they arrive. */
  readonly headers: boolean;
  /** The broker itself drops a message at `expiresAt`. */
  readonly ttl: boolean;
  /** `notBefore` is kept by the broker. */
  readonly delay: boolean;
  /** A group can be started or moved to an earlier position or time. */
  readonly replay: boolean;
  /** A group of one reader can be dropped by `expiresAfterMs`. */
  readonly broadcast: boolean;
  /** `Subscription.backlog` is there. */
  readonly backlog: boolean;
  /** `Admin.browse` is there. */
  readonly browse: boolean;
  /** Most messages of one `publish` call. */
  readonly maxBatch: number;
  /** Most bytes of one `publish` call (data and attributes). A single message may exceed it, up to `maxBytes`. */
  readonly maxBatchBytes: number;
  /** Most bytes of one message, data and attributes, as the app may send it. */
  readonly maxBytes: number;
  /** Calls of `publish` that may be under way at once. */
  readonly publishPipeline: number;
  /** So many beside them that have been under way for a moment: where one server of several is silent, the others go on. Default: 0. */
  readonly slowCalls?: number;
  /** A topic is on several servers: where one is silent, what has other keys than its messages goes on. Needs `slowCalls`. Default: false. */
  readonly spreadsTopics?: boolean;
}
