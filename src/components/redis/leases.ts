import { PubSubError } from "../../pubsub/error.ts";
import { FreshMap } from "../../pubsub/fresh-map.ts";
import type { Window } from "../window.ts";
import type { Entry } from "./entry.ts";
import { Lease, type LeaseKeeper, MovableLease } from "./lease.ts";
import { keysOf, type Member } from "./member.ts";
import { renew } from "./scripts.ts";

/** Ids of one script call: it holds up the server for as long as it runs. */
const CHUNK = 250;

/**
 * Everything that is known to stand pending with our consumer, over reconnects. What stands there and is not in here is a message whose
 * reply was lost on the way: the claims find it.
 */
export class Leases {
  readonly #member: Member;
  readonly #window: Window;
  readonly #byPosition = new FreshMap<string, Lease>();
  readonly #ended: (lost: readonly Lease[], error: PubSubError) => void;
  #renewing: Promise<void> | undefined;

  /** `ended`: some are gone; of these `lost` were with the engine, which may be none. */
  constructor(member: Member, window: Window, ended: (lost: readonly Lease[], error: PubSubError) => void) {
    this.#member = member;
    this.#window = window;
    this.#ended = ended;
  }

  get all(): readonly Lease[] {
    return [...this.#byPosition.values()];
  }

  get(position: string): Lease | undefined {
    return this.#byPosition.get(position);
  }

  /** `since`: when the command that read it was sent. */
  add(entry: Entry, failures: number, since: number, keeper: LeaseKeeper): Lease {
    const { topic, options } = this.#member;
    const lease = new (options.redisType === "cluster" ? Lease : MovableLease)(topic, entry, failures, since + options.lease, keeper);
    this.#byPosition.set(entry.position, lease);
    return lease;
  }

  /** The same message as one to be lent anew: what was settled stays settled. */
  renewed(lease: Lease, keeper: LeaseKeeper): Lease {
    this.remove(lease);
    return this.add(lease, lease.failures, lease.safeUntil - this.#member.options.lease, keeper);
  }

  remove(lease: Lease): void {
    lease.state = "over";
    if (this.#byPosition.get(lease.position) === lease) this.#byPosition.delete(lease.position);
  }

  /** The server says that these are with somebody else, or settled, or gone. */
  gone(positions: readonly string[]): void {
    const lost: Lease[] = [];
    let some = false;
    for (const position of positions) {
      const lease = this.#byPosition.get(position);
      // What is moving is told by the reply to that.
      if (!lease || lease.state === "moving") continue;
      if (lease.state === "lent") {
        this.#window.giveBack(lease.size);
        lost.push(lease);
      }
      this.remove(lease);
      some = true;
    }
    if (!some) return;
    this.#ended(lost, new PubSubError("failed_precondition", `the lease on ${lost.length} messages of ${this.#member.topic} ended`));
  }

  /** Everything is over. Returns what was with the engine. */
  clear(): readonly Lease[] {
    const lost = this.all.filter(({ state }) => state === "lent" || state === "moving");
    for (const lease of lost) this.#window.giveBack(lease.size);
    for (const lease of this.all) this.remove(lease);
    return lost;
  }

  /** Gives sign of life for all that is held or lent. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renewAll().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renewAll(): Promise<void> {
    const { node, group, consumer, clock, options } = this.#member;
    const leases = this.all.filter(({ state }) => state === "held" || state === "lent" || state === "moving");
    if (!node?.read.up || leases.length === 0) return;
    const sentAt = clock.elapsed();
    try {
      for (let i = 0; i < leases.length; i += CHUNK) {
        const chunk = leases.slice(i, i + CHUNK);
        const reply = await renew.run(node.read, keysOf(this.#member), group, consumer, ...chunk.map(({ position }) => position));
        this.gone((reply as readonly Buffer[]).map(String));
        for (const lease of chunk) lease.safeUntil = sentAt + options.lease;
      }
    } catch (error) {
      this.#member.failed(error as PubSubError);
    }
  }
}
