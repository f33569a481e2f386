import { PubSubError } from "../../pubsub/error.ts";
import type { Backlog, Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import type { Entry, Group, Pending } from "./model-broker.ts";
import type { ModelClient } from "./model-client.ts";
import { ModelDelivery } from "./model-delivery.ts";

export const LEASE_MS = 15_000;

/** One reader of a group. */
export class ModelReader implements Subscription {
  readonly closed: Promise<PubSubError | undefined>;
  readonly client: ModelClient;
  readonly lent = new Map<number, ModelDelivery>();
  readonly request: SubscribeRequest;
  readonly group: Group;
  readonly #sink: Sink;
  readonly #end = Promise.withResolvers<PubSubError | undefined>();
  #window = { messages: 0, bytes: 0 };
  #over = false;

  constructor(client: ModelClient, request: SubscribeRequest, sink: Sink) {
    this.client = client;
    this.request = request;
    this.group = client.broker.group(request);
    this.#sink = sink;
    this.closed = this.#end.promise;
  }

  window(messages: number, bytes: number): void {
    this.#window = { messages, bytes };
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#over = true;
    this.client.readers.delete(this);
    if (this.#leads) this.group.lead = undefined;
    this.#end.resolve(undefined);
    return Promise.resolve();
  }

  backlog(): Promise<Backlog> {
    const { entries } = this.client.broker.topic(this.request.topic);
    return Promise.resolve({ messages: entries.length - this.group.cursor + this.group.pending.size, oldestMs: undefined });
  }

  renew(): void {
    const lost: ModelDelivery[] = [];
    const fenced = this.request.order !== "none" && !this.#leads;
    for (const [position, delivery] of this.lent) {
      const pending = this.group.pending.get(position);
      if (pending?.owner === this.client && !fenced) pending.until = this.#until;
      else if (delivery.open) lost.push(delivery);
      else this.lent.delete(position);
    }
    if (this.#leads && this.group.lead) this.group.lead.until = this.#until;
    for (const delivery of lost) delivery.lose();
    if (lost.length > 0) this.#sink.lost(lost, new PubSubError("failed_precondition", "the lease ended"));
  }

  read(replyLost: boolean): void {
    const { clock } = this.client.broker;
    if (this.#over || !this.#mayRead()) return;
    const batch: ModelDelivery[] = [];
    const now = clock.elapsed();
    for (const position of [...this.group.pending.keys()].sort((a, b) => a - b)) {
      const pending = this.group.pending.get(position) as Pending;
      const free = pending.owner === undefined || pending.until <= now || (pending.owner === this.client && !this.lent.has(position));
      if (free && !this.lent.has(position)) this.#lend(position, pending.failures, batch, replyLost);
    }
    const { entries } = this.client.broker.topic(this.request.topic);
    while (this.group.cursor < entries.length && this.#room(batch)) this.#lend(this.group.cursor++, 0, batch, replyLost);
    if (batch.length > 0) this.#sink.deliver(batch);
  }

  get #until(): number {
    return this.client.broker.clock.elapsed() + LEASE_MS;
  }

  get #leads(): boolean {
    return this.group.lead?.reader === this;
  }

  #mayRead(): boolean {
    if (this.request.order === "none") return this.#window.messages > 0;
    const { lead, pending } = this.group;
    if (this.#window.messages === 0) {
      if (this.#leads && this.lent.size === 0) this.group.lead = undefined;
      return false;
    }
    if (lead !== undefined && lead.reader !== this && lead.until > this.client.broker.clock.elapsed()) return false;
    if (!this.#leads) {
      this.group.lead = { reader: this, until: this.#until };
      for (const one of pending.values()) Object.assign(one, { owner: this.client, until: this.#until });
    }
    return true;
  }

  #room(batch: readonly ModelDelivery[]): boolean {
    return this.lent.size < this.#window.messages && batch.length < 10;
  }

  #lend(position: number, failures: number, batch: ModelDelivery[], replyLost: boolean): void {
    if (!this.#room(batch) && this.group.pending.has(position)) return;
    this.group.pending.set(position, { owner: this.client, until: this.#until, failures });
    if (replyLost) return;
    const entry = this.client.broker.topic(this.request.topic).entries[position] as Entry;
    const delivery = new ModelDelivery(this, entry, failures);
    this.lent.set(position, delivery);
    batch.push(delivery);
  }
}
