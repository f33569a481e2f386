import type { Delivery } from "../../pubsub/delivery.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Backlog, Sink, Subscription } from "../../pubsub/subscription.ts";
import type { Group, Held } from "./group.ts";

/** Stores one message; an error says that it is not stored. */
type Store = (message: Outgoing) => PubSubError | undefined;

/** One reader of a group. */
export class Reader implements Subscription {
  readonly closed: Promise<PubSubError | undefined>;
  readonly store: Store;
  readonly #group: Group;
  readonly #sink: Sink;
  readonly #left: (reader: Reader) => void;
  readonly #end = Promise.withResolvers<PubSubError | undefined>();
  readonly #loans = new Set<Loan>();
  #bytes = 0;
  #window = { messages: 0, bytes: 0 };
  #over = false;

  constructor(group: Group, sink: Sink, store: Store, left: (reader: Reader) => void) {
    this.#group = group;
    this.#sink = sink;
    this.store = store;
    this.#left = left;
    this.closed = this.#end.promise;
    group.join(this);
  }

  window(messages: number, bytes: number): void {
    this.#window = { messages, bytes };
    this.#group.wake();
  }

  /** Lends up to `most` messages, and says how many. */
  lend(most: number): number {
    const batch: Loan[] = [];
    while (!this.#over && batch.length < most && this.#loans.size < this.#window.messages && this.#bytes < this.#window.bytes) {
      const held = this.#group.take(this);
      if (!held) break;
      const loan = new Loan(this, this.#group, held);
      this.#loans.add(loan);
      this.#bytes += held.entry.size;
      batch.push(loan);
    }
    if (batch.length > 0) this.#sink.deliver(batch);
    return batch.length;
  }

  /** True when the loan was still ours: its settlement counts. */
  settled(loan: Loan): boolean {
    if (!this.#loans.delete(loan)) return false;
    this.#bytes -= loan.held.entry.size;
    this.#group.wake();
    return true;
  }

  holds(loan: Loan): boolean {
    return this.#loans.has(loan);
  }

  /** Settlements stand as soon as they are made. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#finish();
    return Promise.resolve();
  }

  /** The group was deleted. */
  die(error: PubSubError | undefined): void {
    const lost = [...this.#loans];
    if (error && lost.length > 0 && !this.#over) this.#sink.lost(lost, error);
    this.#finish(error);
  }

  backlog(): Promise<Backlog> {
    return Promise.resolve(this.#group.backlog());
  }

  #finish(error?: PubSubError): void {
    if (this.#over) return;
    this.#over = true;
    // The lease of what is still lent ends with the reader, since nobody could take it over in another process.
    this.#loans.clear();
    this.#group.leave(this);
    this.#left(this);
    this.#end.resolve(error);
  }
}

/** A message lent to the engine. */
class Loan implements Delivery {
  readonly topic: string;
  readonly position: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly publishedAt: number;
  readonly deliveries: number;
  readonly failures: number;
  readonly held: Held;
  readonly #reader: Reader;
  readonly #group: Group;

  constructor(reader: Reader, group: Group, held: Held) {
    const { entry } = held;
    this.topic = group.log.name;
    this.position = String(entry.position);
    this.data = entry.data;
    this.attributes = entry.attributes;
    if (entry.key !== undefined) this.key = entry.key;
    this.publishedAt = entry.publishedAt;
    this.deliveries = held.deliveries;
    this.failures = held.failures;
    this.held = held;
    this.#reader = reader;
    this.#group = group;
  }

  ack(): boolean {
    if (!this.#reader.settled(this)) return false;
    this.#group.done(this.held);
    return true;
  }

  release(): boolean {
    return this.#giveBack(0);
  }

  retry(delayMs: number, failures: number): boolean {
    this.keep(failures);
    return this.#giveBack(delayMs);
  }

  keep(failures: number): void {
    if (this.#reader.holds(this)) this.held.failures = failures;
  }

  move(copy: Outgoing): boolean {
    if (!this.#reader.holds(this)) return false;
    const error = this.#reader.store(copy);
    if (error) copy.done(error);
    else this.ack();
    return true;
  }

  #giveBack(delayMs: number): boolean {
    if (!this.#reader.settled(this)) return false;
    this.#group.giveBack(this.held, delayMs);
    return true;
  }
}
