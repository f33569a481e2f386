import type { Capabilities } from "../../pubsub/capabilities.ts";
import type { Clock } from "../../pubsub/clock.ts";
import type { Delivery } from "../../pubsub/delivery.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import type { Backlog, Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";

export const LEASE_MS = 15_000;

const capabilities: Capabilities = {
  ordering: "topic",
  holdsKeys: false,
  orderedReplicas: "one",
  delayedRetry: "none",
  maxDelayMs: 0,
  attempts: "exact",
  position: true,
  hold: Number.POSITIVE_INFINITY,
  keepsWithoutGroup: true,
  durable: true,
  retentionMs: undefined,
  headers: true,
  ttl: false,
  delay: false,
  replay: false,
  broadcast: false,
  backlog: true,
  browse: false,
  maxBatch: 10,
  maxBatchBytes: 2 ** 20,
  maxBytes: 2 ** 20,
  publishPipeline: 1,
};

export interface Entry {
  readonly position: number;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key: string | undefined;
}

interface Pending {
  owner: ModelClient | undefined;
  until: number;
  failures: number;
}

interface Group {
  cursor: number;
  readonly pending: Map<number, Pending>;
  lead: { readonly reader: ModelReader; until: number } | undefined;
}

/** What may become of a request: it is answered; it arrives and its answer is lost; it is lost. */
export type Fate = "answered" | "reply lost" | "request lost";

/** A request on its way to the broker. */
interface Step {
  readonly client: ModelClient;
  /** At the broker. What it returns is told to the client. */
  readonly arrives: () => () => void;
  readonly lost: () => void;
}

/**
 * The least broker that has all the traps: leases that run out, an ordered group with one leader, requests and replies that are lost, clients
 * that die, and clients that stand still and go on as if nothing were. Every request waits until the test says what becomes of it.
 */
export class ModelBroker {
  readonly clock: Clock;
  /** Whether it can move a message in one step. */
  readonly moves: boolean;
  readonly topics = new Map<string, { readonly entries: Entry[]; readonly groups: Map<string, Group> }>();
  readonly clients = new Set<ModelClient>();
  #steps: Step[] = [];

  constructor(clock: Clock, moves: boolean) {
    this.clock = clock;
    this.moves = moves;
  }

  connect(): ModelClient {
    const client = new ModelClient(this);
    this.clients.add(client);
    return client;
  }

  get waiting(): number {
    return this.#steps.length;
  }

  topic(name: string) {
    const topic = this.topics.get(name) ?? { entries: [], groups: new Map<string, Group>() };
    this.topics.set(name, topic);
    return topic;
  }

  group({ topic, group }: Pick<SubscribeRequest, "topic" | "group">): Group {
    const { groups } = this.topic(topic);
    const found = groups.get(group) ?? { cursor: 0, pending: new Map(), lead: undefined };
    groups.set(group, found);
    return found;
  }

  store({ topic, data, attributes, key }: Outgoing): number {
    const { entries } = this.topic(topic);
    entries.push({ position: entries.length, data: Uint8Array.from(data), attributes: { ...attributes }, key });
    return entries.length - 1;
  }

  ask(step: Step): void {
    // The dead ask for nothing.
    if (!step.client.dead) this.#steps.push(step);
  }

  /** Decides over the oldest request of a client that is not standing still. */
  step(fate: Fate): void {
    const at = this.#steps.findIndex(({ client }) => !client.frozen);
    const [step] = at < 0 ? [] : this.#steps.splice(at, 1);
    if (!step) return;
    if (fate === "request lost") step.lost();
    else {
      const reply = step.arrives();
      if (fate === "answered") reply();
      else step.lost();
    }
  }

  /** The client dies: `arriving` of its requests still reach the broker, the others do not; nothing is answered. */
  kill(client: ModelClient, arriving: number): void {
    const own = this.#steps.filter((step) => step.client === client);
    this.#steps = this.#steps.filter((step) => step.client !== client);
    for (const step of own.slice(0, arriving)) step.arrives();
    client.dead = true;
    this.clients.delete(client);
  }
}

/** One sidecar's connection. */
export class ModelClient implements PubSub {
  readonly capabilities = capabilities;
  readonly broker: ModelBroker;
  readonly readers = new Set<ModelReader>();
  dead = false;
  /** The process stands still (SIGSTOP). */
  frozen = false;

  constructor(broker: ModelBroker) {
    this.broker = broker;
  }

  publish(batch: readonly Outgoing[]): void {
    this.broker.ask({
      client: this,
      arrives: () => {
        const positions = batch.map((message) => this.broker.store(message));
        return () => {
          for (const [index, message] of batch.entries()) message.done(undefined, String(positions[index]));
        };
      },
      lost: () => {
        for (const message of batch) message.done(new PubSubError("unavailable", "the reply was lost", { outcome: "unknown" }));
      },
    });
  }

  subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    const reader = new ModelReader(this, request, sink);
    this.readers.add(reader);
    return Promise.resolve(reader);
  }

  ensure(topic: string, groups: readonly SubscribeRequest[]): Promise<void> {
    for (const { group } of groups) this.broker.group({ topic, group });
    return Promise.resolve();
  }

  inspect(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  ping(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** What a component does by itself: gives sign of life, and reads. A read whose reply is lost leaves messages pending with us. */
  turn(replyLost: boolean): void {
    if (this.dead || this.frozen) return;
    for (const reader of [...this.readers]) {
      reader.renew();
      reader.read(replyLost);
    }
  }
}

class ModelReader implements Subscription {
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

class ModelDelivery implements Delivery {
  readonly topic: string;
  readonly position: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  failures: number;
  open = true;
  readonly move?: (copy: Outgoing) => boolean;
  readonly #reader: ModelReader;
  readonly #at: number;

  constructor(reader: ModelReader, { position, data, attributes, key }: Entry, failures: number) {
    this.topic = reader.request.topic;
    this.position = String(position);
    this.data = data;
    this.attributes = attributes;
    if (key !== undefined) this.key = key;
    this.failures = failures;
    this.#reader = reader;
    this.#at = position;
    if (reader.client.broker.moves) this.move = (copy) => this.#move(copy);
  }

  ack(): boolean {
    return this.#settle(() => this.#reader.group.pending.delete(this.#at));
  }

  release(): boolean {
    if (this.#reader.request.order !== "none") return this.#holdAgain();
    return this.#settle((pending) => Object.assign(pending, { owner: undefined, until: 0 }));
  }

  keep(failures: number): void {
    if (!this.open) return;
    this.failures = failures;
    this.#ask((pending) => Object.assign(pending, { failures }));
  }

  /** In an ordered group it stays with the leader, who lends it again before what follows it; whoever leads next takes it over. */
  #holdAgain(): boolean {
    if (!this.open) return false;
    this.lose();
    return true;
  }

  lose(): void {
    this.open = false;
    this.#reader.lent.delete(this.#at);
  }

  #settle(effect: (pending: Pending) => void): boolean {
    if (!this.open) return false;
    this.open = false;
    this.#ask(effect, () => this.#reader.lent.delete(this.#at));
    return true;
  }

  /** As long as it is ours at the broker. What is not answered is asked again: that changes nothing once it was done. */
  #ask(effect: (pending: Pending) => void, answered: () => void = () => undefined): void {
    const { client, group } = this.#reader;
    client.broker.ask({
      client,
      arrives: () => {
        const pending = group.pending.get(this.#at);
        if (pending?.owner === client) effect(pending);
        return answered;
      },
      lost: () => this.#ask(effect, answered),
    });
  }

  #move(copy: Outgoing): boolean {
    if (!this.open) return false;
    const { client, group } = this.#reader;
    client.broker.ask({
      client,
      arrives: () => {
        const ours = group.pending.get(this.#at)?.owner === client;
        if (ours) {
          client.broker.store(copy);
          group.pending.delete(this.#at);
        }
        return () => {
          if (ours) this.lose();
          copy.done(ours ? undefined : new PubSubError("failed_precondition", "it is no longer ours"));
        };
      },
      lost: () => copy.done(new PubSubError("unavailable", "the reply was lost", { outcome: "unknown" })),
    });
    return true;
  }
}
