import type { Delivery } from "../../pubsub/delivery.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Entry } from "./entry.ts";

/**
 * `held`: read, not lent yet. `lent`: with the engine. `moving`: on its way to another topic, and `lent` again if that fails. `acked` and
 * `released`: settled, and on the way to the server. `over`: settled there, or lost.
 */
export type LeaseState = "held" | "lent" | "moving" | "acked" | "released" | "over";

export interface LeaseKeeper {
  /** The lease was settled, or recorded a failure (then it is still `lent`). */
  changed(lease: Lease): void;
  /** The lease is `moving`: to be acknowledged with the storing of `copy`, or to be `lent` again. */
  move(lease: Lease, copy: Outgoing): void;
}

/** A message that stands pending with our consumer. */
export class Lease implements Delivery {
  readonly topic: string;
  readonly position: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly publishedAt: number;
  failures: number;
  readonly size: number;
  state: LeaseState = "held";
  /** Until then, by the monotonic clock, nobody else can have claimed it. */
  safeUntil: number;
  protected readonly keeper: LeaseKeeper;

  constructor(topic: string, entry: Entry, failures: number, safeUntil: number, keeper: LeaseKeeper) {
    this.topic = topic;
    this.position = entry.position;
    this.data = entry.data;
    this.attributes = entry.attributes;
    if (entry.key !== undefined) this.key = entry.key;
    this.publishedAt = entry.publishedAt;
    this.failures = failures;
    this.size = entry.size;
    this.safeUntil = safeUntil;
    this.keeper = keeper;
  }

  ack(): boolean {
    return this.#settle("acked");
  }

  release(): boolean {
    return this.#settle("released");
  }

  keep(failures: number): void {
    if (this.state !== "lent") return;
    this.failures = failures;
    this.keeper.changed(this);
  }

  #settle(state: "acked" | "released"): boolean {
    if (this.state !== "lent") return false;
    this.state = state;
    this.keeper.changed(this);
    return true;
  }
}

/** One whose topic surely has its server in common with every other topic. */
export class MovableLease extends Lease {
  move(copy: Outgoing): boolean {
    if (this.state !== "lent") return false;
    this.state = "moving";
    this.keeper.move(this, copy);
    return true;
  }
}
