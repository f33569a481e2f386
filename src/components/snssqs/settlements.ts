import type { Clock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { asPubSubError } from "../../pubsub/error.ts";
import { type Backoff, waitMs } from "../../resiliency/backoff.ts";
import { chunks, rows } from "./batching.ts";
import type { Aws } from "./client.ts";
import { entryError, isMissing } from "./errors.ts";
import type { Lease } from "./lease.ts";

/** How long to wait before trying again what SQS did not take. */
const RETRY: Backoff = { firstMs: 200, mostMs: 5_000 };

const GIVE_BACK = "ChangeMessageVisibilityBatch";

/** What settlements need of their reader. */
export interface Settler {
  readonly clock: Clock;
  readonly aws: Aws;
  readonly queueUrl: string;
  readonly fifo: boolean;
  /** The renewal of leases under way. */
  readonly renewal: Promise<unknown> | undefined;
  /** It stands, or need not any more. */
  done(lease: Lease): void;
  /** Fewer wait than before: SQS takes settlements. */
  relieved(): void;
  /** SQS did not take some. They are tried again. */
  unsettled(error: PubSubError): void;
}

/** Brings settlements to SQS: what comes while a round is under way goes out together in the next one, in batches of ten. */
export class Settlements {
  readonly #settler: Settler;
  #queue = new Set<Lease>();
  #running = false;
  /** How many are on their way. */
  #sent = 0;
  #scheduled = false;
  #stopped = false;
  #failures = 0;
  #cancelRetry: () => void = () => undefined;
  #queued = 0;
  #stand = 0;
  readonly #waiting: { readonly upTo: number; readonly resolve: () => void; readonly reject: (error: PubSubError) => void }[] = [];

  constructor(settler: Settler) {
    this.#settler = settler;
  }

  add(lease: Lease): void {
    this.#queue.add(lease);
    this.#queued += 1;
    this.#soon();
  }

  /** How many do not stand yet. */
  get pending(): number {
    return this.#queue.size + this.#sent;
  }

  /** Resolves when all that was added so far stands. */
  flushed(): Promise<void> {
    if (this.#stand === this.#queued) return Promise.resolve();
    this.#soon();
    return new Promise((resolve, reject) => this.#waiting.push({ upTo: this.#queued, resolve, reject }));
  }

  /** No further round: `error` is why what does not stand yet never will. */
  stop(error: PubSubError): void {
    this.#stopped = true;
    this.#cancelRetry();
    this.#queue.clear();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #soon(): void {
    if (this.#scheduled || this.#running || this.#stopped) return;
    this.#scheduled = true;
    // What is settled in the same turn of the event loop goes out together.
    setImmediate(() => {
      this.#scheduled = false;
      void this.#round();
    });
  }

  async #round(): Promise<void> {
    this.#cancelRetry();
    if (this.#running || this.#stopped) return;
    this.#running = true;
    const upTo = this.#queued;
    const round = [...this.#queue];
    this.#queue = new Set();
    this.#sent = round.length;
    const acked = round.filter(({ state }) => state === "acked");
    const given = round.filter(({ state }) => state === "released" || state === "delayed");
    const again = await Promise.all([
      ...(this.#settler.fifo ? rows(acked) : chunks(acked).map((chunk) => [chunk])).map((row) => this.#sendRow(row)),
      this.#sendBack(given),
    ]);
    this.#running = false;
    this.#sent = 0;
    if (this.#stopped) return;
    const left = again.flat();
    if (left.length > 0) this.#queue = new Set([...left, ...this.#queue]);
    if (left.length < round.length) {
      this.#failures = 0;
      this.#settler.relieved();
    }
    if (left.length > 0) {
      const { clock } = this.#settler;
      this.#failures += 1;
      this.#cancelRetry = clock.after(waitMs(RETRY, this.#failures, clock.random()), () => this.#soon());
      return;
    }
    this.#stand = Math.max(this.#stand, upTo);
    while (this.#waiting[0] && this.#waiting[0].upTo <= upTo) this.#waiting.shift()?.resolve();
    if (this.#queue.size > 0) this.#soon();
  }

  /** What is behind one that is to be tried again is so, too. */
  async #sendRow(row: readonly (readonly Lease[])[]): Promise<readonly Lease[]> {
    for (const [index, chunk] of row.entries()) {
      const again = this.#stopped ? chunk : await this.#send(chunk, "DeleteMessageBatch", (entries) => this.#delete(entries));
      if (again.length > 0) return [...again, ...row.slice(index + 1).flat()];
    }
    return [];
  }

  async #sendBack(given: readonly Lease[]): Promise<readonly Lease[]> {
    // It was sent while these were lent: should it be the later one to get there, it would hide them for a lease.
    if (given.length > 0) await this.#settler.renewal;
    // What is not ours any more is everybody's already, or another's, who must not lose it to us.
    const now = this.#settler.clock.elapsed();
    for (const lease of given) if (lease.until <= now) this.#settler.done(lease);
    const ours = given.filter(({ until }) => until > now);
    const giveBack = (chunk: readonly Lease[]) => this.#send(chunk, GIVE_BACK, (entries) => this.#giveBack(entries));
    return (await Promise.all(chunks(ours).map(giveBack))).flat();
  }

  /** Returns what is to be tried again. */
  async #send(chunk: readonly Lease[], doing: string, send: (chunk: readonly Lease[]) => Promise<Answer>): Promise<readonly Lease[]> {
    const sent = chunk.map(({ receipt }) => receipt);
    let answer: Answer;
    try {
      answer = await send(chunk);
    } catch (thrown) {
      const error = asPubSubError(thrown);
      this.#settler.unsettled(error);
      if (!isMissing(error) && !this.#mustNotRepeat(doing, error)) {
        // It is tried again, since it may be allowed later. Nobody waits for that.
        if (error.permanent) for (const { reject } of this.#waiting.splice(0)) reject(error);
        return chunk;
      }
      // With the queue, the messages are gone. What was given back, or not, comes again when its lease is over.
      for (const lease of chunk) this.#settler.done(lease);
      return [];
    }
    const failures = new Map((answer.Failed ?? []).map((one) => [one.Id, one]));
    const again: Lease[] = [];
    for (const [index, lease] of chunk.entries()) {
      // Received again meanwhile, and queued again with that receipt: the older one may have settled nothing.
      if (lease.receipt !== sent[index]) continue;
      const failure = failures.get(String(index));
      const error = failure && entryError(doing, failure.Code ?? "?", failure.Message ?? "", failure.SenderFault !== true);
      // What SQS refuses for good has lost its lease: it comes again.
      if (error && mayPass(error) && !this.#mustNotRepeat(doing, error)) again.push(lease);
      else this.#settler.done(lease);
    }
    return again;
  }

  /** It may be given back, and another's by now: a standard queue would take it from them by our older receipt. */
  #mustNotRepeat(doing: string, { outcome }: PubSubError): boolean {
    return doing === GIVE_BACK && outcome === "unknown" && !this.#settler.fifo;
  }

  #delete(chunk: readonly Lease[]): Promise<Answer> {
    const { aws, queueUrl } = this.#settler;
    const entries = chunk.map(({ receipt }, index) => ({ Id: String(index), ReceiptHandle: receipt }));
    return aws.delete(queueUrl, entries);
  }

  #giveBack(chunk: readonly Lease[]): Promise<Answer> {
    const { aws, queueUrl, clock } = this.#settler;
    const now = clock.elapsed();
    const entries = chunk.map(({ receipt, delay, last }, index) => {
      const seconds = Math.min(Math.ceil(delay / 1_000), Math.floor((last - now) / 1_000));
      return { Id: String(index), ReceiptHandle: receipt, VisibilityTimeout: Math.max(0, seconds) };
    });
    return aws.changeVisibility(queueUrl, entries);
  }
}

/** Per entry what failed; what is not there was done. */
interface Answer {
  readonly Failed?:
    | readonly {
        readonly Id: string | undefined;
        readonly Code: string | undefined;
        readonly Message?: string | undefined;
        readonly SenderFault: boolean | undefined;
      }[]
    | undefined;
}

function mayPass({ outcome, code }: PubSubError): boolean {
  return outcome === "unknown" || code === "resource_exhausted";
}
