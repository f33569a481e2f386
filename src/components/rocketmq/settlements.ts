import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError } from "../../pubsub/error.ts";
import { durationOf } from "./durations.ts";
import { failureOf, isNoLease } from "./errors.ts";
import { MessagingService } from "./gen/apache/rocketmq/v2/service_pb.ts";
import { APART_MS } from "./handle.ts";
import type { Lease } from "./lease.ts";
import type { Member } from "./member.ts";

/** Entries of one request. */
const CHUNK = 64;
/** Requests of one kind that are under way at once. */
const AT_ONCE = 64;
const AGAIN_MS = 1_000;
/** What is given back untried comes again as soon as the broker can, which is a second or two. */
const AT_ONCE_MS = 1;

export interface Settled {
  /** It stands at the broker, or the lease has ended before it could: then `stands` is false. */
  over(lease: Lease, stands: boolean): void;
}

/**
 * Carries settlements to the broker: acknowledgements of one turn of the event loop in one request, what is given back one by one, as the protocol
 * has it. What fails is tried again for as long as the lease lasts: repeating does no harm.
 */
export class Settlements {
  readonly #member: Member;
  readonly #clock: Clock;
  readonly #settled: Settled;
  #acked: Lease[] = [];
  #returned: Lease[] = [];
  #waits = false;
  /** Settled, and not yet at the broker. */
  readonly #open = new Set<Lease>();
  #returning = 0;
  #scheduled = false;
  #stopped = false;
  readonly #waiting: { readonly for: Set<Lease>; readonly resolve: () => void }[] = [];

  constructor(member: Member, settled: Settled) {
    this.#member = member;
    this.#clock = member.clock;
    this.#settled = settled;
  }

  add(lease: Lease): void {
    this.#open.add(lease);
    this.ready(lease);
  }

  /** Its handle is the newest. */
  ready(lease: Lease): void {
    if (lease.renewing || this.#stopped) return;
    if (lease.state === "acked") {
      this.#acked.push(lease);
      this.#schedule();
    } else {
      this.#returned.push(lease);
      this.#giveBack();
    }
  }

  /** Resolves when all that was added so far stands at the broker. */
  flushed(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ for: new Set(this.#open), resolve }));
  }

  stop(): void {
    this.#stopped = true;
    this.#acked = [];
    this.#returned = [];
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      const acked = this.#acked.filter((lease) => this.#isReached(lease));
      this.#acked = [];
      for (let at = 0; at < acked.length; at += CHUNK) void this.#ack(acked.slice(at, at + CHUNK));
    });
  }

  async #ack(leases: readonly Lease[]): Promise<void> {
    const { proxies, clientId, topic, group, options } = this.#member;
    const space = { resourceNamespace: options.nameSpace };
    try {
      const answer = await proxies.call(MessagingService.method.ackMessage, clientId, {
        group: { ...space, name: group },
        topic: { ...space, name: topic },
        entries: leases.flatMap(({ position, handle, older }) =>
          [handle, ...older]
            .filter(({ through }) => proxies.leadsTo(through))
            .map(({ text }) => ({ messageId: position, receiptHandle: text })),
        ),
      });
      const results = new Map(answer.entries.map(({ receiptHandle, status }) => [receiptHandle, status]));
      for (const lease of leases) {
        const failure = failureOf("AckMessage", results.get(lease.handle.text) ?? answer.status);
        if (!failure) this.#over(lease, true);
        else if (isNoLease(failure)) this.#over(lease, false);
        else this.#later(lease);
      }
    } catch (error) {
      asPubSubError(error);
      for (const lease of leases) this.#later(lease);
    }
  }

  #giveBack(): void {
    while (this.#returning < AT_ONCE) {
      const lease = this.#nextReturned();
      if (!lease) return;
      if (!this.#isReached(lease)) continue;
      this.#returning += 1;
      void this.#giveBackOne(lease).finally(() => {
        this.#returning -= 1;
        this.#giveBack();
      });
    }
  }

  /** Undefined: there is none, or none that may go yet; that one is seen to in time. */
  #nextReturned(): Lease | undefined {
    const [next] = this.#returned;
    if (!next || this.#waits) return undefined;
    const wait = next.handle.at + APART_MS - this.#clock.elapsed();
    if (wait <= 0) return this.#returned.shift();
    this.#waits = true;
    this.#clock.after(wait, () => {
      this.#waits = false;
      this.#giveBack();
    });
    return undefined;
  }

  async #giveBackOne(lease: Lease): Promise<void> {
    const { proxies, clientId, topic, group, options } = this.#member;
    const space = { resourceNamespace: options.nameSpace };
    try {
      const { status } = await proxies.call(MessagingService.method.changeInvisibleDuration, clientId, {
        group: { ...space, name: group },
        topic: { ...space, name: topic },
        receiptHandle: lease.handle.text,
        messageId: lease.position,
        invisibleDuration: durationOf(lease.againAfterMs ?? AT_ONCE_MS),
        // Newer brokers do not count what was not tried.
        suspend: lease.againAfterMs === undefined,
      });
      const failure = failureOf("ChangeInvisibleDuration", status);
      if (!failure) this.#over(lease, true);
      else if (isNoLease(failure)) this.#over(lease, false);
      else this.#later(lease);
    } catch (error) {
      asPubSubError(error);
      this.#later(lease);
    }
  }

  /** Else it waits, for as long as it lasts, for a proxy that leads to its broker. */
  #isReached(lease: Lease): boolean {
    if (this.#member.proxies.leadsTo(lease.handle.through)) return true;
    this.#later(lease);
    return false;
  }

  /** Once more, unless the lease has ended: then the message comes again by itself. */
  #later(lease: Lease): void {
    if (lease.safeUntil <= this.#clock.elapsed()) {
      this.#over(lease, false);
      return;
    }
    this.#clock.after(AGAIN_MS, () => this.ready(lease));
  }

  #over(lease: Lease, stands: boolean): void {
    this.#open.delete(lease);
    this.#settled.over(lease, stands);
    for (const waiting of [...this.#waiting]) {
      waiting.for.delete(lease);
      if (waiting.for.size > 0) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve();
    }
  }
}
