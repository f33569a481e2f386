import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import { FreshMap } from "../../pubsub/fresh-map.ts";
import { durationOf } from "./durations.ts";
import { failureOf, isNoLease } from "./errors.ts";
import { MessagingService } from "./gen/apache/rocketmq/v2/service_pb.ts";
import { APART_MS, mended } from "./handle.ts";
import type { Lease } from "./lease.ts";
import type { Member } from "./member.ts";

/** Renewals that are under way at once: the protocol has one request a message. */
const AT_ONCE = 32;
/** Parts of a lease between two looks at all of them. */
const LOOKS = 6;

/** The broker is to hide it for longer. */
const isKept = ({ state }: Lease): boolean => state === "held" || state === "lent" || state === "waiting";

export interface LeaseOwner {
  /** Nothing may be lent: what is only held is better given back than renewed. */
  readonly paused: boolean;
  giveBack(lease: Lease): void;
  /** A renewal of a lease that was settled meanwhile is over. */
  renewed(lease: Lease): void;
  /** They are not ours any more: those that were lent, and those that were not yet. */
  lost(lent: readonly Lease[], held: readonly Lease[], error: PubSubError): void;
}

/** All messages that are with us, by identity, over reconnects; it keeps their leases. */
export class Leases {
  readonly #member: Member;
  readonly #owner: LeaseOwner;
  readonly #byIdentity = new FreshMap<string, Lease>();
  /** No lease is over before. */
  #soonest = Number.POSITIVE_INFINITY;
  #due: Lease[] = [];
  #renewing = 0;
  #cancel: () => void = () => undefined;

  constructor(member: Member, owner: LeaseOwner) {
    this.#member = member;
    this.#owner = owner;
  }

  get all(): readonly Lease[] {
    return [...this.#byIdentity.values()];
  }

  get(identity: string): Lease | undefined {
    return this.#byIdentity.get(identity);
  }

  add(lease: Lease): void {
    this.#byIdentity.set(lease.identity, lease);
    this.#soonest = Math.min(this.#soonest, lease.safeUntil);
  }

  /** It was settled, and may have to wait before the broker can hear of that: its bytes do not. */
  lighten(lease: Lease): Lease {
    if (lease.renewing) return lease;
    const rest = lease.withoutData();
    this.#byIdentity.set(rest.identity, rest);
    return rest;
  }

  remove(lease: Lease): void {
    lease.state = "over";
    if (this.#byIdentity.get(lease.identity) === lease) this.#byIdentity.delete(lease.identity);
  }

  start(): void {
    this.#cancel = this.#member.clock.after(this.#member.options.lease / LOOKS, () => {
      this.start();
      this.#look();
    });
  }

  stop(): void {
    this.#cancel();
    this.#due = [];
  }

  /** Drops what is over: to whom it goes now is not ours to say. */
  expire(): void {
    const now = this.#member.clock.elapsed();
    if (now < this.#soonest) return;
    this.#soonest = Number.POSITIVE_INFINITY;
    const ended: Lease[] = [];
    for (const lease of this.#byIdentity.values()) {
      if (!isKept(lease)) continue;
      if (lease.safeUntil <= now) ended.push(lease);
      else this.#soonest = Math.min(this.#soonest, lease.safeUntil);
    }
    this.#lose(ended);
  }

  #look(): void {
    this.expire();
    const { clock, options } = this.#member;
    const now = clock.elapsed();
    const soon = now + (options.lease * (LOOKS - 2)) / LOOKS;
    this.#due = [];
    for (const lease of this.#byIdentity.values()) {
      if (!isKept(lease) || lease.renewing || lease.safeUntil > soon || now - lease.handle.at < APART_MS) continue;
      if (lease.state === "held" && this.#owner.paused) this.#owner.giveBack(lease);
      else this.#due.push(lease);
    }
    this.#renew();
  }

  #renew(): void {
    while (this.#renewing < AT_ONCE && this.#member.proxies.up) {
      const lease = this.#due.shift();
      if (!lease) return;
      if (!isKept(lease) || !this.#member.proxies.leadsTo(lease.handle.through)) continue;
      this.#renewing += 1;
      lease.renewing = true;
      void this.#renewOne(lease).finally(() => {
        this.#renewing -= 1;
        lease.renewing = false;
        if (lease.state === "acked" || lease.state === "returned") this.#owner.renewed(lease);
        this.#renew();
      });
    }
  }

  async #renewOne(lease: Lease): Promise<void> {
    const { proxies, clientId, topic, group, options, clock } = this.#member;
    const space = { resourceNamespace: options.nameSpace };
    const since = clock.elapsed();
    const { handle } = lease;
    const through = proxies.place;
    try {
      const { status, receiptHandle } = await proxies.call(MessagingService.method.changeInvisibleDuration, clientId, {
        group: { ...space, name: group },
        topic: { ...space, name: topic },
        receiptHandle: handle.text,
        messageId: lease.position,
        invisibleDuration: durationOf(options.lease),
      });
      const failure = failureOf("ChangeInvisibleDuration", status);
      if (isNoLease(failure)) this.#lose([lease]);
      if (failure) return;
      if (receiptHandle !== "") {
        const renewed = { text: mended(receiptHandle), through, at: clock.elapsed() };
        if (lease.handle === handle) lease.handle = renewed;
        else lease.older.push(renewed);
      }
      lease.safeUntil = since + options.lease;
    } catch (error) {
      // Whether it has a new handle is not known. The next look tries again; if that is refused, the message is lost to us.
      asPubSubError(error);
      lease.unsure = true;
    }
  }

  #lose(leases: readonly Lease[]): void {
    const lent = leases.filter(({ state }) => state === "lent");
    const held = leases.filter(({ state }) => state === "held");
    for (const lease of leases.filter(isKept)) this.remove(lease);
    // One that waits was settled: it is nobody's loss.
    if (lent.length + held.length === 0) return;
    const what = `the lease on ${lent.length} messages of ${this.#member.topic} ended`;
    this.#owner.lost(lent, held, new PubSubError("failed_precondition", what));
  }
}
