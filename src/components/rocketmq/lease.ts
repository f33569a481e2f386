import type { Delivery } from "../../pubsub/delivery.ts";
import type { Handle } from "./handle.ts";
import type { Received } from "./message.ts";

/**
 * `held`: received, not lent yet. `lent`: with the engine. `waiting`: done by the app, behind one of its queue that is not. `acked` and `returned`:
 * settled, and on the way to the broker. `over`: settled there, or lost.
 */
export type LeaseState = "held" | "lent" | "waiting" | "acked" | "returned" | "over";

const NOTHING = new Uint8Array(0);
const NONE = {};

export interface LeaseKeeper {
  /** The lease was settled. */
  settled(lease: Lease): void;
}

/** A message that the broker hides from others for our sake. */
export class Lease implements Delivery {
  readonly topic: string;
  readonly position: string;
  readonly identity: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly publishedAt?: number;
  readonly deliveries: number;
  readonly size: number;
  /** Broker and number. */
  readonly queue: string;
  state: LeaseState = "held";
  /** Each renewal gives a new one. */
  handle: Handle;
  /** Those of earlier leases on it that the broker may still keep, because an answer was lost: else they would bring it back. */
  readonly older: Handle[] = [];
  /** Until then, by the monotonic clock, nobody else can have got it. */
  safeUntil: number;
  /** A renewal may have been done, and its answer is lost: the broker then has a lease of which we have no handle, and gives the message again when it ends. */
  unsure = false;
  /** A renewal is under way, and the handle may be an old one already. */
  renewing = false;
  /** After how long a returned one may come again, in milliseconds; undefined: at once, since it was not tried. */
  againAfterMs: number | undefined;
  readonly #keeper: LeaseKeeper;

  constructor(topic: string, queue: string, received: Received, handle: Handle, safeUntil: number, keeper: LeaseKeeper) {
    this.topic = topic;
    this.queue = queue;
    this.position = received.position;
    this.identity = received.identity;
    this.data = received.data;
    this.attributes = received.attributes;
    if (received.key !== undefined) this.key = received.key;
    if (received.publishedAt !== undefined) this.publishedAt = received.publishedAt;
    this.deliveries = received.deliveries;
    this.size = received.size;
    this.handle = handle;
    this.safeUntil = safeUntil;
    this.#keeper = keeper;
  }

  /** The broker has given it once more. */
  givenAgain(handle: Handle, safeUntil: number): void {
    this.older.push(this.handle);
    this.handle = handle;
    this.safeUntil = Math.max(this.safeUntil, safeUntil);
  }

  /** The same without what only the app needs. */
  withoutData(): Lease {
    const { topic, queue, position, identity, publishedAt, deliveries, handle, size, safeUntil } = this;
    const received = { position, identity, publishedAt, deliveries, handle: handle.text, size, queue: 0, data: NOTHING, attributes: NONE };
    const rest = new Lease(topic, queue, received, handle, safeUntil, this.#keeper);
    rest.older.push(...this.older);
    rest.unsure = this.unsure;
    rest.state = this.state;
    return rest;
  }

  ack(): boolean {
    return this.#settle("acked");
  }

  release(): boolean {
    return this.#settle("returned");
  }

  retry(delayMs: number): boolean {
    if (this.state === "lent") this.againAfterMs = delayMs;
    return this.#settle("returned");
  }

  #settle(state: "acked" | "returned"): boolean {
    if (this.state !== "lent") return false;
    this.state = state;
    this.#keeper.settled(this);
    return true;
  }
}
