import type { Delivery } from "../../pubsub/delivery.ts";
import type { Entry } from "./entry.ts";

export type Settled = "acked" | "released" | "delayed";

/** A lease, as far as what is lent by it goes. */
export interface Settling {
  /** False: it is settled already, or lost. */
  settle(as: Settled, delayMs?: number): boolean;
}

/** What SQS says of a message. */
export interface Counted {
  readonly publishedAt: number | undefined;
  readonly deliveries: number | undefined;
}

/** A message as it is lent. Its lease outlives it: what is settled may wait long for SQS, and its bytes need not. */
export class Lent implements Delivery {
  readonly topic: string;
  readonly position: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly publishedAt?: number;
  readonly deliveries?: number;
  readonly #lease: Settling;

  constructor(topic: string, { position, data, attributes, key }: Entry, { publishedAt, deliveries }: Counted, lease: Settling) {
    this.topic = topic;
    this.position = position;
    this.data = data;
    this.attributes = attributes;
    if (key !== undefined) this.key = key;
    if (publishedAt !== undefined) this.publishedAt = publishedAt;
    if (deliveries !== undefined) this.deliveries = deliveries;
    this.#lease = lease;
  }

  ack(): boolean {
    return this.#lease.settle("acked");
  }

  release(): boolean {
    return this.#lease.settle("released");
  }

  retry(delayMs: number): boolean {
    return this.#lease.settle("delayed", delayMs);
  }
}
