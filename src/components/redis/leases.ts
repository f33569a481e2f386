import { PubSubError } from "../../pubsub/error.ts";
import { FreshMap } from "../../pubsub/fresh-map.ts";
import type { Entry } from "./entry.ts";
import { compareIds } from "./id.ts";
import { Lease, type LeaseKeeper } from "./lease.ts";
import type { Member } from "./member.ts";
import { renew } from "./scripts.ts";
import type { Window } from "./window.ts";

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
  readonly #lose: (leases: readonly Lease[], error: PubSubError) => void;
  #renewing: Promise<void> | undefined;

  constructor(member: Member, window: Window, lose: (leases: readonly Lease[], error: PubSubError) => void) {
    this.#member = member;
    this.#window = window;
    this.#lose = lose;
  }

  get all(): readonly Lease[] {
    return [...this.#byPosition.values()];
  }

  get(position: string): Lease | undefined {
    return this.#byPosition.get(position);
  }

  /** `since`: when the command that read it was sent. */
  add(entry: Entry, failures: number, since: number, keeper: LeaseKeeper): Lease {
    const lease = new Lease(this.#member.topic, entry, failures, since + this.#member.options.lease, keeper);
    this.#byPosition.set(entry.position, lease);
    return lease;
  }

  remove(lease: Lease): void {
    lease.state = "over";
    if (this.#byPosition.get(lease.position) === lease) this.#byPosition.delete(lease.position);
  }

  /** The smallest position that is not settled. */
  oldest(): string | undefined {
    let oldest: string | undefined;
    for (const position of this.#byPosition.keys()) {
      if (oldest === undefined || compareIds(position, oldest) < 0) oldest = position;
    }
    return oldest;
  }

  /** The server says that these are with somebody else, or settled, or gone. */
  gone(positions: readonly string[]): void {
    const lost: Lease[] = [];
    for (const position of positions) {
      const lease = this.#byPosition.get(position);
      if (!lease) continue;
      if (lease.state === "lent") {
        this.#window.giveBack(lease.size);
        lost.push(lease);
      }
      this.remove(lease);
    }
    if (lost.length === 0) return;
    this.#lose(lost, new PubSubError("failed_precondition", `the lease on ${lost.length} messages of ${this.#member.topic} ended`));
  }

  /** Gives sign of life for all that is held or lent. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renewAll().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renewAll(): Promise<void> {
    const { node, topic, group, consumer, clock, options } = this.#member;
    const leases = this.all.filter(({ state }) => state === "held" || state === "lent");
    if (!node?.read.up || leases.length === 0) return;
    const sentAt = clock.elapsed();
    try {
      for (let i = 0; i < leases.length; i += CHUNK) {
        const chunk = leases.slice(i, i + CHUNK);
        const reply = await renew.run(node.read, topic, group, consumer, ...chunk.map(({ position }) => position));
        this.gone((reply as readonly Buffer[]).map(String));
        for (const lease of chunk) lease.safeUntil = sentAt + options.lease;
      }
    } catch (error) {
      this.#member.failed(error as PubSubError);
    }
  }
}
