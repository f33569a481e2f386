import { within } from "../../pubsub/abort.ts";
import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, type PubSubError } from "../../pubsub/error.ts";
import type { Backlog, Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { Admission, type Entrant } from "./admission.ts";
import { Batches, queueOf } from "./batches.ts";
import type { RocketmqOptions } from "./config.ts";
import { Done } from "./done.ts";
import { filterOf } from "./filter.ts";
import { Lease, type LeaseKeeper } from "./lease.ts";
import { type LeaseOwner, Leases } from "./leases.ts";
import { Lending } from "./lending.ts";
import type { Member } from "./member.ts";
import type { Received } from "./message.ts";
import { type Places, Polls, type Receiver } from "./polls.ts";
import type { Proxies, ProxyUser } from "./proxies.ts";
import { type Asked, MOST_AT_ONCE } from "./receive.ts";
import { type Settled, Settlements } from "./settlements.ts";

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
export class Reader implements Subscription, ProxyUser, Receiver, LeaseKeeper, LeaseOwner, Settled, Entrant {
  readonly closed: Promise<PubSubError | undefined>;
  readonly backlog?: (signal: AbortSignal) => Promise<Backlog>;
  readonly #member: Member;
  readonly #sink: Sink;
  readonly #ground: Ground;
  readonly #lending: Lending;
  readonly #leases: Leases;
  readonly #settlements: Settlements;
  readonly #admission: Admission;
  readonly #batches: Batches | undefined;
  readonly #done = new Done();
  readonly #polls: Polls;
  readonly #end = Promise.withResolvers<PubSubError | undefined>();
  #over = false;

  constructor(request: SubscribeRequest, group: string, clientId: string, sink: Sink, ground: Ground) {
    const { proxies, options, clock } = ground;
    const ordered = request.order !== "none";
    this.closed = this.#end.promise;
    this.#member = { topic: request.topic, group, clientId, ordered, filter: filterOf(request.options), options, proxies, clock };
    this.#sink = sink;
    this.#ground = ground;
    this.#lending = new Lending(ordered, { deliver: (batch) => sink.deliver(batch), giveBack: (lease) => this.giveBack(lease) });
    this.#leases = new Leases(this.#member, this);
    this.#settlements = new Settlements(this.#member, this);
    const settler = { settle: (lease: Lease) => this.#settlements.add(lease), past: (lease: Lease) => this.over(lease, false) };
    this.#batches = ordered ? new Batches(settler) : undefined;
    this.#polls = new Polls(this.#member, this, ground);
    this.#admission = new Admission(this.#member, ground.managed, this);
    if (ground.unread) this.backlog = (signal) => this.#backlog(signal);
  }

  /** Resolves when the proxy lets us read. */
  async open(brokers: readonly string[], signal: AbortSignal): Promise<void> {
    this.#polls.open(brokers);
    this.#admission.open();
    this.#ground.proxies.enter(this);
    try {
      await within(this.#admission.first, signal, `joining ${this.#member.group}`);
    } catch (error) {
      this.#stop();
      await this.#admission.close();
      // It may have been in time, had the proxy wanted us.
      throw this.#admission.why ?? error;
    }
    this.#leases.start();
  }

  admitted(): void {
    if (this.#over) return;
    // What the proxy leads to decides about leases that came through another.
    if (this.#member.options.proxies.length > 1) this.#ground.brokers().catch(asPubSubError);
    this.#sink.interrupted();
    this.#polls.again();
  }

  away(): void {
    this.#polls.stop();
  }

  up(): void {
    // The proxy must let us in first: see `admitted`.
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
    return this.#over || !this.#admission.stands ? 0 : this.#lending.room(MOST_AT_ONCE);
  }

  received(broker: string, messages: readonly Received[], asked: Asked, whole: boolean): void {
    // In an ordered group the broker gives them again, with fewer if it is asked for fewer: all leases of before are void then.
    if (!whole && this.#batches && !this.#over) {
      for (const { size } of messages) this.#lending.seen(size);
      return;
    }
    // What another reader may have had meanwhile is not as if it had never left.
    if (!this.#over) this.#leases.expire();
    this.#batches?.received(broker, messages);
    for (const message of messages) this.#take(queueOf(broker, message), message, asked);
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
    if (lease.state !== "returned" && (!stands || lease.unsure)) this.#done.add(lease.identity);
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
      await within(this.#admission.close(), signal, "leaving");
    } finally {
      // Out of time or not, nobody may take it for alive.
      void this.#admission.close();
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

  #take(queue: string, message: Received, { at, through }: Asked): void {
    const safeUntil = at + this.#member.options.lease;
    const handle = { text: message.handle, through, at: this.#member.clock.elapsed() };
    const known = this.#leases.get(message.identity);
    if (known && (known.state === "lent" || known.state === "held" || known.state === "waiting")) {
      known.givenAgain(handle, safeUntil);
      if (known.queue !== queue) this.#batches?.elsewhere(queue, message.identity);
      return;
    }
    const lease = new Lease(this.#member.topic, queue, message, handle, safeUntil, this);
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
    void this.#admission.close();
    this.#finish(error);
  }

  #finish(error: PubSubError | undefined): void {
    for (const lease of this.#leases.all) this.#leases.remove(lease);
    this.#settlements.stop();
    this.#ground.left(this);
    this.#end.resolve(error);
  }
}
