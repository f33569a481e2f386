import type { MessageInitShape } from "@bufbuild/protobuf";
import { within } from "../../pubsub/abort.ts";
import type { Clock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { Backlog, Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { Batches, queueOf } from "./batches.ts";
import type { RocketmqOptions } from "./config.ts";
import { Done } from "./done.ts";
import { unfit } from "./entities.ts";
import { isBusy } from "./errors.ts";
import { filterOf } from "./filter.ts";
import { ClientType, Language, type Settings, type SettingsSchema } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { Lease, type LeaseKeeper } from "./lease.ts";
import { type LeaseOwner, Leases } from "./leases.ts";
import { Lending } from "./lending.ts";
import type { Member } from "./member.ts";
import type { Received } from "./message.ts";
import { type Places, Polls, type Receiver } from "./polls.ts";
import type { Proxies, ProxyUser } from "./proxies.ts";
import { MOST_AT_ONCE } from "./receive.ts";
import { type Introduced, Session } from "./session.ts";
import { type Settled, Settlements } from "./settlements.ts";

/** So often a proxy may refuse us, a second apart, before the reader ends: while a broker begins it knows no group. */
const MOST_REFUSALS = 10;

/** What a reader needs of its component. */
export interface Ground extends Places {
  readonly proxies: Proxies;
  readonly options: RocketmqOptions;
  readonly clock: Clock;
  /** The brokers themselves were asked about the group. */
  readonly managed: boolean;
  /** Messages that nobody was given yet. Absent where nobody can be asked. Rejects with a PubSubError. */
  unread?(topic: string, group: string, signal: AbortSignal): Promise<number>;
  left(reader: Reader): void;
}

/** One reader of a group on a topic: a client of the proxy, which keeps the leases of what it received. */
export class Reader implements Subscription, ProxyUser, Receiver, LeaseKeeper, LeaseOwner, Settled, Introduced {
  readonly closed: Promise<PubSubError | undefined>;
  readonly clientId: string;
  readonly backlog?: (signal: AbortSignal) => Promise<Backlog>;
  readonly #member: Member;
  readonly #sink: Sink;
  readonly #ground: Ground;
  readonly #lending: Lending;
  readonly #leases: Leases;
  readonly #settlements: Settlements;
  readonly #session: Session;
  readonly #batches: Batches | undefined;
  readonly #done = new Done();
  readonly #polls: Polls;
  readonly #end = Promise.withResolvers<PubSubError | undefined>();
  readonly #introduced = Promise.withResolvers<void>();
  #unwelcome: PubSubError | undefined;
  /** The proxy has taken us once. */
  #known = false;
  /** How often it has not since. */
  #refusals = 0;
  #over = false;

  constructor(request: SubscribeRequest, group: string, clientId: string, sink: Sink, ground: Ground) {
    const { proxies, options, clock } = ground;
    const ordered = request.order !== "none";
    this.closed = this.#end.promise;
    this.clientId = clientId;
    this.#member = { topic: request.topic, group, clientId, ordered, filter: filterOf(request.options), options, proxies, clock };
    this.#sink = sink;
    this.#ground = ground;
    this.#lending = new Lending(ordered, { deliver: (batch) => sink.deliver(batch), giveBack: (lease) => this.giveBack(lease) });
    this.#leases = new Leases(this.#member, this);
    this.#settlements = new Settlements(this.#member, this);
    const settler = { settle: (lease: Lease) => this.#settlements.add(lease), past: (lease: Lease) => this.over(lease, false) };
    this.#batches = ordered ? new Batches(settler) : undefined;
    this.#polls = new Polls(this.#member, this, ground);
    this.#session = new Session(proxies, clock, this);
    if (ground.unread) this.backlog = (signal) => this.#backlog(signal);
  }

  get group() {
    return { resourceNamespace: this.#member.options.nameSpace, name: this.#member.group };
  }

  /** Resolves when the proxy knows us. */
  async open(brokers: readonly string[], signal: AbortSignal): Promise<void> {
    this.#polls.open(brokers);
    this.#session.open();
    this.#ground.proxies.enter(this);
    try {
      await within(this.#introduced.promise, signal, `joining ${this.#member.group}`);
    } catch (error) {
      this.#stop();
      await this.#session.close();
      // It may have been in time, had the proxy wanted us.
      throw this.#unwelcome ?? error;
    }
    this.#leases.start();
  }

  settings(): MessageInitShape<typeof SettingsSchema> {
    const { options, topic, filter } = this.#member;
    return {
      clientType: ClientType.SIMPLE_CONSUMER,
      userAgent: { language: Language.NODE_JS, version: "layotto" },
      pubSub: {
        case: "subscription",
        value: { group: this.group, subscriptions: [{ topic: { resourceNamespace: options.nameSpace, name: topic }, expression: filter }] },
      },
    };
  }

  ready(settings: Settings): void {
    this.#unwelcome = undefined;
    this.#refusals = 0;
    this.#known = true;
    const { group, ordered } = this.#member;
    const error = this.#ground.managed ? undefined : unfit(group, ordered, settings);
    if (error) {
      this.#introduced.reject(error);
      this.refused(error);
      return;
    }
    this.#introduced.resolve();
    if (this.#over) return;
    this.#sink.interrupted();
    this.#polls.again();
  }

  /** A group that is gone is made again with the next reader. */
  unwelcome(error: PubSubError): void {
    this.#unwelcome = error;
    // One that has too much to do says nothing about us.
    if (!isBusy(error)) this.#refusals += 1;
    if (this.#known && this.#refusals >= MOST_REFUSALS) this.refused(error);
    else this.troubled(error);
  }

  away(): void {
    this.#polls.stop();
  }

  up(): void {
    // The proxy must know us first: see `ready`.
  }

  down(error: PubSubError): void {
    if (!this.#over) this.#sink.interrupted(error);
  }

  window(messages: number, bytes: number): void {
    this.#lending.window(messages, bytes);
    this.#goOn();
  }

  get paused(): boolean {
    return this.#lending.paused;
  }

  get room(): number {
    return this.#over || !this.#session.ready ? 0 : this.#lending.room(MOST_AT_ONCE);
  }

  received(broker: string, messages: readonly Received[], since: number): void {
    // What another reader may have had meanwhile is not as if it had never left.
    if (!this.#over) this.#leases.expire();
    this.#batches?.received(broker, messages);
    const safeUntil = since + this.#member.options.lease;
    for (const message of messages) this.#take(queueOf(broker, message), message, safeUntil);
    this.#lend();
  }

  troubled(error?: PubSubError): void {
    if (!this.#over) this.#sink.interrupted(error);
  }

  refused(error: PubSubError): void {
    if (!this.#over) this.#die(error);
  }

  settled(lease: Lease): void {
    this.#lending.back(lease);
    if (lease.state === "returned") this.giveBack(lease);
    else this.#ack(lease);
    this.#goOn();
  }

  giveBack(lease: Lease): void {
    lease.state = "returned";
    this.#settlements.add(lease);
    this.#batches?.back(lease);
    this.#lending.broken(lease);
  }

  renewed(lease: Lease): void {
    this.#settlements.ready(lease);
  }

  lost(lent: readonly Lease[], held: readonly Lease[], error: PubSubError): void {
    for (const lease of lent) this.#lending.back(lease);
    for (const lease of [...lent, ...held]) {
      this.#batches?.back(lease);
      this.#lending.broken(lease);
    }
    if (lent.length > 0) this.#sink.lost(lent, error);
    this.#goOn();
  }

  over(lease: Lease, stands: boolean): void {
    if (lease.state !== "returned" && !stands) this.#done.add(lease.identity);
    this.#leases.remove(lease);
    this.#polls.again();
  }

  async flush(signal: AbortSignal): Promise<void> {
    await within(this.#settlements.flushed(), signal, "settling");
  }

  async close(signal: AbortSignal): Promise<void> {
    if (this.#over) {
      await this.#end.promise;
      return;
    }
    this.#stop();
    this.#lending.giveBackAll();
    try {
      await within(this.#settlements.flushed(), signal, "settling");
      await within(this.#session.close(), signal, "leaving");
    } finally {
      // Out of time or not, nobody may take it for alive.
      void this.#session.close();
      this.#finish(undefined);
    }
  }

  /** What other readers hold at the moment nobody tells. */
  async #backlog(signal: AbortSignal): Promise<Backlog> {
    const unread = await this.#ground.unread?.(this.#member.topic, this.#member.group, signal);
    const ours = this.#leases.all.filter(({ state }) => state === "lent" || state === "held");
    const oldest = Math.min(...ours.map(({ publishedAt }) => publishedAt ?? Number.POSITIVE_INFINITY));
    const oldestMs = Number.isFinite(oldest) ? Math.max(0, this.#member.clock.now() - oldest) : undefined;
    return { messages: unread === undefined ? undefined : unread + ours.length, oldestMs };
  }

  #take(queue: string, message: Received, safeUntil: number): void {
    const known = this.#leases.get(message.identity);
    if (known && (known.state === "lent" || known.state === "held" || known.state === "waiting")) {
      known.givenAgain(message.handle, safeUntil);
      if (known.queue !== queue) this.#batches?.elsewhere(queue, message.identity);
      return;
    }
    const lease = new Lease(this.#member.topic, queue, message, safeUntil, this);
    this.#lending.seen(lease.size);
    this.#leases.add(lease);
    if (this.#batches?.isDone(queue, message.identity) || this.#done.has(message.identity) || known?.state === "acked") {
      this.#done.delete(message.identity);
      lease.state = "acked";
      this.#ack(lease);
    } else if (this.#over) this.giveBack(lease);
    else this.#lending.hold(lease);
  }

  /** In an ordered group when it is its turn. */
  #ack(lease: Lease): void {
    if (this.#batches) this.#batches.acked(this.#leases.lighten(lease));
    else this.#settlements.add(lease);
  }

  #goOn(): void {
    this.#lend();
    this.#polls.again();
  }

  #lend(): void {
    if (this.#over || !this.#lending.holds) return;
    this.#leases.expire();
    this.#lending.lend();
  }

  #stop(): void {
    this.#over = true;
    this.#leases.stop();
    this.#ground.proxies.leave(this);
    this.#polls.close();
  }

  #die(error: PubSubError): void {
    this.#stop();
    const lost = this.#leases.all.filter(({ state }) => state === "lent");
    for (const lease of lost) this.#leases.remove(lease);
    if (lost.length > 0) this.#sink.lost(lost, error);
    void this.#session.close();
    this.#finish(error);
  }

  #finish(error: PubSubError | undefined): void {
    for (const lease of this.#leases.all) this.#leases.remove(lease);
    this.#settlements.stop();
    this.#ground.left(this);
    this.#end.resolve(error);
  }
}
