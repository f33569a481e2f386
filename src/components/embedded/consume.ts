import type { Delivery } from "../../pubsub/delivery.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Backlog, Order, Sink, Subscription } from "../../pubsub/subscription.ts";
import type { Lendee, Link } from "./link.ts";
import { unpack } from "./packing.ts";
import { type LendFrame, weight } from "./protocol.ts";
import { Publish } from "./publish.ts";

/** One reader of a group, on this side of the thread. */
export class Reader implements Subscription, Lendee {
  readonly closed: Promise<PubSubError | undefined>;
  readonly topic: string;
  readonly #link: Link;
  readonly #id: number;
  readonly #order: Order;
  readonly #sink: Sink;
  readonly #left: (reader: Reader) => void;
  readonly #end = Promise.withResolvers<PubSubError | undefined>();
  readonly #loans = new Map<number, Loan>();
  #windowMessages = 0;
  #windowBytes = 0;
  #lentBytes = 0;
  #closing: Promise<void> | undefined;
  #died: PubSubError | undefined;
  #over = false;

  constructor(link: Link, id: number, topic: string, order: Order, sink: Sink, left: (reader: Reader) => void) {
    this.#link = link;
    this.#id = id;
    this.topic = topic;
    this.#order = order;
    this.#sink = sink;
    this.#left = left;
    this.closed = this.#end.promise;
    link.join(id, this);
  }

  window(messages: number, bytes: number): void {
    if (this.#over) return;
    this.#windowMessages = messages;
    this.#windowBytes = bytes;
    this.#link.window({ reader: this.#id, messages, bytes });
  }

  /** What was on its way when the window closed goes back. A reader that leaves need not say so: leaving gives it back. */
  lend(frame: LendFrame): void {
    if (this.#over) return;
    const batch: Loan[] = [];
    const notBefore = new Map<number, number>();
    for (let at = 0; at < frame.notBefore.length; at += 2) notBefore.set(frame.notBefore[at] as number, frame.notBefore[at + 1] as number);
    let full = false;
    for (const [index, bytes] of unpack(frame.sizes, frame.data).entries()) {
      const keepsPlace = this.#order === "topic" || (this.#order === "key" && frame.keys[index] !== null);
      const loan = new (keepsPlace ? Loan : DelayableLoan)(this, frame, index, bytes, notBefore.get(index));
      // What comes behind one that goes back must not come before it.
      full ||= !this.#open;
      if (!full) {
        this.#add(loan);
        batch.push(loan);
      } else this.#link.settle(this.#id).releases.push(loan.pos);
    }
    if (batch.length > 0) this.#sink.deliver(batch);
  }

  die(error: PubSubError): void {
    if (this.#over) return;
    const lost = [...this.#loans.values()];
    this.#died = error;
    this.#finish();
    if (lost.length > 0) this.#sink.lost(lost, error);
    this.#end.resolve(error);
  }

  async flush(signal: AbortSignal): Promise<void> {
    if (this.#died) throw this.#died;
    if (!this.#over) await this.#link.ask("flush", {}, signal);
  }

  /** What is still lent goes back to the group: in this process nobody else could have kept its lease. */
  close(signal: AbortSignal): Promise<void> {
    this.#closing ??= this.#close(signal);
    return this.#closing;
  }

  backlog(signal: AbortSignal): Promise<Backlog> {
    return this.#link.ask("backlog", { reader: this.#id }, signal);
  }

  ack(loan: Loan): boolean {
    if (!this.#take(loan)) return false;
    this.#link.settle(this.#id).acks.push(loan.pos);
    return true;
  }

  release(loan: Loan): boolean {
    if (!this.#take(loan)) return false;
    this.#link.settle(this.#id).releases.push(loan.pos);
    return true;
  }

  retry(loan: Loan, delayMs: number, failures: number): boolean {
    if (!this.#take(loan)) return false;
    this.#link.settle(this.#id).retries.push(loan.pos, Math.ceil(delayMs), failures);
    return true;
  }

  keep(loan: Loan, failures: number): void {
    if (this.#loans.get(loan.pos) === loan) this.#link.settle(this.#id).keeps.push(loan.pos, failures);
  }

  /** When the copy cannot be stored, the message is lent again as it was. */
  move(loan: Loan, copy: Outgoing): boolean {
    if (!this.#take(loan)) return false;
    const { topic, data, attributes, ...more } = copy;
    const done = (error?: PubSubError, position?: string) => {
      if (error && !this.#over) this.#add(loan);
      copy.done(error, position);
    };
    this.#link.publish(new Publish([{ ...more, topic, data, attributes, done }], undefined, { reader: this.#id, position: loan.pos }));
    return true;
  }

  get #open(): boolean {
    return this.#loans.size < this.#windowMessages && this.#lentBytes < this.#windowBytes;
  }

  #add(loan: Loan): void {
    this.#loans.set(loan.pos, loan);
    this.#lentBytes += loan.size;
  }

  #take(loan: Loan): boolean {
    if (this.#loans.get(loan.pos) !== loan) return false;
    this.#loans.delete(loan.pos);
    this.#lentBytes -= loan.size;
    return true;
  }

  async #close(signal: AbortSignal): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#loans.clear();
    try {
      await this.#link.ask("unsubscribe", { reader: this.#id }, signal);
    } finally {
      this.#finish();
      this.#end.resolve(undefined);
    }
  }

  #finish(): void {
    this.#over = true;
    this.#loans.clear();
    this.#link.leave(this.#id);
    this.#left(this);
  }
}

/** A message lent to the engine. */
class Loan implements Delivery {
  readonly pos: number;
  readonly size: number;
  readonly topic: string;
  readonly position: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly publishedAt: number;
  readonly failures: number;
  readonly notBefore?: number;
  protected readonly reader: Reader;

  constructor(reader: Reader, frame: LendFrame, index: number, data: Uint8Array, notBefore: number | undefined) {
    this.reader = reader;
    this.pos = frame.positions[index] as number;
    this.topic = reader.topic;
    this.position = String(this.pos);
    this.data = data;
    const attributes = frame.attributes[index] ?? null;
    this.size = weight(data.byteLength, attributes);
    this.attributes = attributes ? (JSON.parse(attributes) as Record<string, string>) : {};
    const key = frame.keys[index];
    if (key !== null && key !== undefined) this.key = key;
    this.publishedAt = frame.publishedAt[index] as number;
    this.failures = frame.failures[index] as number;
    if (notBefore !== undefined) this.notBefore = notBefore;
  }

  ack(): boolean {
    return this.reader.ack(this);
  }

  release(): boolean {
    return this.reader.release(this);
  }

  keep(failures: number): void {
    this.reader.keep(this, failures);
  }

  move(copy: Outgoing): boolean {
    return this.reader.move(this, copy);
  }
}

/** One that has no place to keep: others may pass it while it waits. */
class DelayableLoan extends Loan {
  retry(delayMs: number, failures: number): boolean {
    return this.reader.retry(this, delayMs, failures);
  }
}
