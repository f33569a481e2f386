import type { Delivery } from "../../pubsub/delivery.ts";
import type { Partition } from "./partition.ts";
import { positionOf } from "./publish.ts";
import type { StoredRecord } from "./wire/record-batch.ts";

/** `held`: read, and not lent yet. */
export type LeaseState = "held" | "lent" | "acked" | "released" | "lost";

/** Who is told what became of a message. */
export interface LeaseKeeper {
  changed(lease: Lease): void;
  /** Its failures are another number. */
  marked(lease: Lease): void;
}

/** A message of a partition that is ours. */
export class Lease implements Delivery {
  readonly topic: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly publishedAt: number;
  readonly offset: number;
  readonly partition: Partition;
  failures: number;
  state: LeaseState = "held";
  readonly #keeper: LeaseKeeper;

  constructor(partition: Partition, keeper: LeaseKeeper, record: StoredRecord, failures: number) {
    this.topic = partition.topic;
    this.data = record.data;
    this.attributes = record.attributes;
    if (record.key !== undefined) this.key = record.key;
    this.publishedAt = record.timestamp;
    this.offset = record.offset;
    this.partition = partition;
    this.failures = failures;
    this.#keeper = keeper;
  }

  /** Made when it is asked for: it seldom is. */
  get position(): string {
    return positionOf(this.partition.index, this.offset);
  }

  get settled(): boolean {
    return this.state === "acked";
  }

  ack(): boolean {
    return this.#become("acked");
  }

  release(): boolean {
    return this.#become("released");
  }

  keep(failures: number): void {
    if (this.state !== "lent") return;
    this.failures = failures;
    this.#keeper.marked(this);
  }

  /** Another one for the same message, as if it had just been read. */
  again(): Lease {
    const { partition, offset, publishedAt: timestamp, key, data, attributes } = this;
    return new Lease(partition, this.#keeper, { offset, timestamp, key, data, attributes }, this.failures);
  }

  #become(state: "acked" | "released"): boolean {
    if (this.state !== "lent") return false;
    this.state = state;
    this.#keeper.changed(this);
    return true;
  }
}
