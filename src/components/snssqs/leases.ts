import type { Message } from "@aws-sdk/client-sqs";
import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import { FreshMap } from "../../pubsub/fresh-map.ts";
import { chunks } from "./batching.ts";
import type { Aws } from "./client.ts";
import { decode } from "./entry.ts";
import { entryError, isLost } from "./errors.ts";
import { Lease, type LeaseKeeper } from "./lease.ts";
import type { Lent } from "./lent.ts";

const DOING = "ChangeMessageVisibilityBatch";

/** What leases need of their reader. */
export interface Member extends LeaseKeeper {
  readonly topic: string;
  readonly clock: Clock;
  readonly aws: Aws;
  readonly queueUrl: string;
  readonly raw: boolean;
  readonly leaseMs: number;
  lost(lent: readonly Lent[], error: PubSubError): void;
  /** It is not ours any more, whether it was lent or not. */
  gone(lease: Lease): void;
  /** SQS did not prolong some. It is tried again. */
  unrenewed(error: PubSubError): void;
  /** All that was due was prolonged. */
  renewed(): void;
  /** It was settled already, and has come again: it must be settled by its new receipt. */
  settled(lease: Lease): void;
}

/** What a call that hangs costs of a lease: there must be time left to try again, more than once. */
const CALL_SHARE = 4;
/** The most tries in the time of a lease. */
const TRIES = 8;

/** Everything that was received and does not stand settled yet, and the time for which it is ours. */
export class Leases {
  readonly #member: Member;
  readonly #byId = new FreshMap<string, Lease>();
  #renewal: Promise<boolean> | undefined;
  #cancelAgain: () => void = () => undefined;
  #over = false;

  constructor(member: Member) {
    this.#member = member;
  }

  get all(): readonly Lease[] {
    return [...this.#byId.values()];
  }

  /** The lease of a message that was received by a call that left at `since`. Undefined: it must not be lent, since it is ours already, or no more. */
  receive(message: Message, since: number): Lease | undefined {
    const { topic, raw, leaseMs, clock } = this.#member;
    const { MessageId: id = "", ReceiptHandle: receipt = "", Attributes: said } = message;
    const known = this.#byId.get(id);
    if (known && (known.state === "held" || known.state === "lent" || known.state === "acked")) {
      known.receivedAgain(receipt, since, leaseMs);
      if (known.state === "acked") this.#member.settled(known);
      return undefined;
    }
    // The process stood still: it is another's by now, or will come again.
    if (since + leaseMs <= clock.elapsed()) return undefined;
    const counted = { publishedAt: numberOf(said?.SentTimestamp), deliveries: numberOf(said?.ApproximateReceiveCount) };
    const lease = new Lease(topic, id, receipt, decode(message, raw), counted, since, leaseMs, this.#member);
    this.#byId.set(id, lease);
    return lease;
  }

  remove(lease: Lease): void {
    lease.state = "over";
    if (this.#byId.get(lease.id) === lease) this.#byId.delete(lease.id);
  }

  /** Everything is over. Returns what was with the engine. */
  clear(): readonly Lent[] {
    this.#over = true;
    this.#cancelAgain();
    const lent = lentOf(this.all);
    for (const lease of this.all) this.remove(lease);
    return lent;
  }

  /** Prolongs what is half over, and drops what is over: to whom it goes now is not ours to say. What SQS did not prolong is tried again soon. */
  async renew(): Promise<void> {
    this.#expire();
    if (this.#renewal) return;
    this.#cancelAgain();
    const { clock, leaseMs } = this.#member;
    const since = clock.elapsed();
    this.#renewal = this.#prolongOld();
    const prolonged = await this.#renewal;
    this.#renewal = undefined;
    if (this.#over) return;
    if (prolonged) {
      this.#member.renewed();
      return;
    }
    const wait = Math.max(0, since + leaseMs / TRIES - clock.elapsed());
    this.#cancelAgain = clock.after(wait, () => void this.renew());
  }

  /** The renewal under way. */
  get renewal(): Promise<unknown> | undefined {
    return this.#renewal;
  }

  /** False: it failed for some, and may pass. */
  async #prolongOld(): Promise<boolean> {
    const { clock, leaseMs } = this.#member;
    const soon = clock.elapsed() + (leaseMs * 3) / 4;
    const old = this.all.filter(({ state, until }) => (state === "held" || state === "lent" || state === "acked") && until < soon);
    const prolonged = await Promise.all(chunks(old).map((chunk) => this.#prolong(chunk)));
    return prolonged.every(Boolean);
  }

  async #prolong(chunk: readonly Lease[]): Promise<boolean> {
    const { clock, aws, queueUrl, leaseMs } = this.#member;
    const sentAt = clock.elapsed();
    const seconds = (lease: Lease) => Math.min(leaseMs, Math.floor((lease.last - sentAt) / 1_000) * 1_000) / 1_000;
    const able = chunk.filter((lease) => seconds(lease) >= 1);
    if (able.length === 0) return true;
    const entries = able.map((lease, index) => ({ Id: String(index), ReceiptHandle: lease.receipt, VisibilityTimeout: seconds(lease) }));
    const asked = able.map(({ receipt }) => receipt);
    try {
      const { Failed = [] } = await aws.changeVisibility(queueUrl, entries, leaseMs / CALL_SHARE);
      const refused = new Map(
        Failed.map(({ Id, Code = "?", Message = "", SenderFault }) => [Id, entryError(DOING, Code, Message, SenderFault !== true)]),
      );
      const gone: Lease[] = [];
      let prolonged = true;
      for (const [index, lease] of able.entries()) {
        const error = refused.get(String(index));
        // It was received again meanwhile: what was said of the older receipt is of no interest.
        if (lease.receipt !== asked[index]) continue;
        if (!error) lease.until = Math.max(lease.until, sentAt + seconds(lease) * 1_000);
        else if (isLost(error)) gone.push(lease);
        else prolonged = false;
      }
      this.#lose(gone);
      return prolonged;
    } catch (error) {
      this.#member.unrenewed(asPubSubError(error));
      return false;
    }
  }

  #expire(): void {
    const now = this.#member.clock.elapsed();
    // What is acked and not deleted yet is deleted all the same: it was handled in time.
    this.#lose(this.all.filter(({ state, until }) => (state === "held" || state === "lent") && until <= now));
  }

  #lose(gone: readonly Lease[]): void {
    const lent = lentOf(gone);
    const ended = gone.filter(({ state }) => state === "held" || state === "lent");
    for (const lease of ended) this.remove(lease);
    if (lent.length > 0) {
      const what = `the lease on ${lent.length} messages of ${this.#member.topic} ended`;
      this.#member.lost(lent, new PubSubError("failed_precondition", what));
    }
    for (const lease of ended) this.#member.gone(lease);
  }
}

/** What is with the engine. */
function lentOf(leases: readonly Lease[]): readonly Lent[] {
  return leases.flatMap(({ state, delivery }) => (state === "lent" && delivery ? [delivery] : []));
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
