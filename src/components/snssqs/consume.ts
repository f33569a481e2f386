import type { Message } from "@aws-sdk/client-sqs";
import { within } from "../../pubsub/abort.ts";
import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Backlog, Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import type { Aws } from "./client.ts";
import type { SnsSqsOptions } from "./config.ts";
import type { Queue } from "./entities.ts";
import { isMissing } from "./errors.ts";
import type { Lease } from "./lease.ts";
import { Leases, type Member } from "./leases.ts";
import { Lending } from "./lending.ts";
import type { Lent } from "./lent.ts";
import { type Receiver, Receiving } from "./receiving.ts";
import { Settlements, type Settler } from "./settlements.ts";

/** What is settled and does not stand is held in memory: with more of it nothing is received. */
const MOST_UNSETTLED = 1_000;

/** What a reader needs of its component. */
export interface Ground {
  readonly aws: Aws;
  /** The queue as it is known. */
  find(): Promise<Queue>;
  /** The queue, after AWS said that it is gone. */
  findAgain(): Promise<Queue>;
  readonly options: SnsSqsOptions;
  readonly clock: Clock;
  /** `error`: why it died. Undefined: it was closed. */
  left(reader: Reader, error: PubSubError | undefined): void;
}

/** What a reader does at SQS, each of which may fail while the others go on. */
type Doing = "receive" | "settle" | "renew";

/** One reader of a group's queue. */
export class Reader implements Subscription, Member, Receiver, Settler {
  readonly closed: Promise<PubSubError | undefined>;
  readonly topic: string;
  readonly group: string;
  readonly aws: Aws;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly #ground: Ground;
  readonly #sink: Sink;
  readonly #leases: Leases;
  readonly #lending: Lending;
  readonly #settlements: Settlements;
  readonly #receiving: Receiving;
  readonly #end = Promise.withResolvers<PubSubError | undefined>();
  #queue: Queue;
  readonly #failing = new Set<Doing>();
  #joining = false;
  #closing = false;
  #over = false;
  #cancelBeat: () => void = () => undefined;

  constructor({ topic, group }: SubscribeRequest, queue: Queue, sink: Sink, ground: Ground) {
    this.topic = topic;
    this.group = group;
    this.aws = ground.aws;
    this.clock = ground.clock;
    this.leaseMs = ground.options.leaseSeconds * 1_000;
    this.closed = this.#end.promise;
    this.#ground = ground;
    this.#sink = sink;
    this.#queue = queue;
    this.#lending = new Lending(ground.options.fifo, {
      deliver: (batch) => sink.deliver(batch),
      isOurs: (lease) => this.isOurs(lease),
      released: (lease) => this.#settlements.add(lease),
    });
    this.#leases = new Leases(this);
    this.#settlements = new Settlements(this);
    this.#receiving = new Receiving(this);
    this.#beatLater();
  }

  get queueUrl(): string {
    return this.#queue.url;
  }

  get fifo(): boolean {
    return this.#ground.options.fifo;
  }

  get enough(): number {
    return this.#lending.enough(this.#ground.options.messageMaxNumber);
  }

  get raw(): boolean {
    return this.#queue.raw;
  }

  get renewal(): Promise<unknown> | undefined {
    return this.#leases.renewal;
  }

  window(messages: number, bytes: number): void {
    this.#lending.window(messages, bytes);
    this.#goOn();
  }

  async flush(signal: AbortSignal): Promise<void> {
    await within(this.#settlements.flushed(), signal, "settling");
  }

  async close(signal: AbortSignal): Promise<void> {
    if (this.#over) return;
    this.#closing = true;
    const aborted = () => this.#receiving.abort();
    if (signal.aborted) aborted();
    signal.addEventListener("abort", aborted, { once: true });
    try {
      // What is on its way to us must be here before it can be given back.
      await this.#receiving.stop();
      this.#lending.giveBackAll();
      await within(this.#settlements.flushed(), signal, "settling");
    } finally {
      signal.removeEventListener("abort", aborted);
      this.#finish(undefined);
    }
  }

  /** SQS does not say how old the oldest is: the oldest that is here has to do. */
  async backlog(signal: AbortSignal): Promise<Backlog> {
    const counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"] as const;
    const input = { QueueUrl: this.queueUrl, AttributeNames: [...counts] };
    const { Attributes = {} } = await this.aws.call(
      "GetQueueAttributes",
      (options) => this.aws.sqs.getQueueAttributes(input, options),
      signal,
    );
    const messages = counts.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
    const oldest = Math.min(...this.#leases.all.map(({ publishedAt }) => publishedAt ?? Number.POSITIVE_INFINITY));
    const oldestMs = Number.isFinite(oldest) ? Math.max(0, this.clock.now() - oldest) : undefined;
    // What is not visible is with a reader, and what is delayed with nobody.
    return { messages, oldestMs, here: Number(Attributes[counts[0]] ?? 0) };
  }

  isOurs({ until }: Lease): boolean {
    if (until > this.clock.elapsed()) return true;
    // Not within its settlement: whoever settles is told at once, the others soon.
    setImmediate(() => void this.#leases.renew());
    return false;
  }

  settled(lease: Lease): void {
    this.#settlements.add(lease);
    this.#lending.settled(lease);
    this.#goOn();
  }

  done(lease: Lease): void {
    this.#leases.remove(lease);
  }

  relieved(): void {
    this.#works("settle");
    this.#goOn();
  }

  /** Even where that is forbidden: a reader that is made anew would get the same messages again, and could settle them no better. */
  unsettled(error: PubSubError): void {
    this.#fails("settle", error);
  }

  unrenewed(error: PubSubError): void {
    this.#fails("renew", error);
  }

  renewed(): void {
    this.#works("renew");
  }

  lost(lent: readonly Lent[], error: PubSubError): void {
    if (!this.#over) this.#sink.lost(lent, error);
  }

  gone(lease: Lease): void {
    this.#lending.gone(lease);
    this.#goOn();
  }

  room(): number {
    if (this.#closing || this.#over || this.#joining || this.#settlements.pending > MOST_UNSETTLED) return 0;
    return this.#lending.room(this.#ground.options.messageMaxNumber);
  }

  asked(count: number): void {
    this.#lending.asked(count);
  }

  answered(count: number): void {
    this.#lending.answered(count);
  }

  received(messages: readonly Message[], since: number): void {
    if (this.#over) return;
    for (const message of messages) {
      const lease = this.#leases.receive(message, since);
      if (lease) this.#lending.hold(lease);
    }
    this.#works("receive");
    this.#goOn();
  }

  failed(error: PubSubError): boolean {
    if (this.#over) return false;
    if (error.permanent && !isMissing(error)) {
      this.#die(error);
      return false;
    }
    this.#fails("receive", error);
    return true;
  }

  /** Its subscription may be another by now. */
  async look(): Promise<void> {
    if (!this.#joining && !this.#closing && !this.#over) await this.#find(() => this.#ground.find());
  }

  #fails(doing: Doing, error: PubSubError): void {
    if (this.#over) return;
    if (isMissing(error)) void this.#rejoin();
    this.#failing.add(doing);
    this.#sink.interrupted(error);
  }

  #works(doing: Doing): void {
    if (this.#failing.delete(doing) && this.#failing.size === 0 && !this.#over) this.#sink.interrupted();
  }

  #goOn(): void {
    if (this.#over || this.#closing) return;
    this.#lending.lend();
    this.#receiving.goOn();
  }

  /** The queue is gone under us: it is looked up, or made, again. */
  async #rejoin(): Promise<void> {
    if (this.#joining) return;
    this.#joining = true;
    try {
      await this.#find(() => this.#ground.findAgain());
    } finally {
      this.#joining = false;
      this.#goOn();
    }
  }

  async #find(find: () => Promise<Queue>): Promise<void> {
    try {
      this.#queue = await find();
    } catch (thrown) {
      const error = asPubSubError(thrown);
      if (!this.#over && error.permanent) this.#die(error);
    }
  }

  #beatLater(): void {
    this.#cancelBeat = this.clock.after(this.leaseMs / 3, () => {
      void this.#leases.renew();
      this.#beatLater();
    });
  }

  #die(error: PubSubError): void {
    this.#receiving.abort();
    const lost = this.#leases.clear();
    if (lost.length > 0) this.#sink.lost(lost, error);
    this.#finish(error);
  }

  #finish(error: PubSubError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelBeat();
    this.#leases.clear();
    this.#settlements.stop(error ?? new PubSubError("cancelled", "the subscription is closed", { outcome: "unknown" }));
    // No call is made any more; nobody waits for one that is under way.
    void this.#receiving.stop();
    this.#ground.left(this, error);
    this.#end.resolve(error);
  }
}
