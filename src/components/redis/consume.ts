import { aborted, within } from "../../pubsub/abort.ts";
import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Backlog, Sink, Start, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { type Claimed, Claims } from "./claims.ts";
import type { RedisOptions } from "./config.ts";
import { isFenced, isLed, livesElsewhere } from "./errors.ts";
import { Failures } from "./failures.ts";
import { Handover, type Leader } from "./handover.ts";
import { type Candidate, Lead } from "./lead.ts";
import type { Lease } from "./lease.ts";
import { type Lender, Lending } from "./lending.ts";
import { Membership } from "./membership.ts";
import type { Node, NodeUser } from "./node.ts";
import { type Read, Reading } from "./reading.ts";
import { Rounds } from "./rounds.ts";
import { backlog } from "./scripts.ts";
import type { Servers } from "./servers.ts";

/** What a reader needs of its component. */
export interface Ground {
  readonly servers: Servers;
  readonly options: RedisOptions;
  readonly clock: Clock;
  /** There may be something to trim. */
  touched(topic: string): void;
  left(reader: Reader): void;
}

/** One reader of a group: a consumer of its own, which keeps the leases of what it read. In order it reads only while it has the lead. */
export class Reader implements Subscription, Candidate, NodeUser, Lender, Leader {
  readonly closed: Promise<PubSubError | undefined>;
  readonly topic: string;
  readonly group: string;
  readonly options: RedisOptions;
  readonly clock: Clock;
  readonly sink: Sink;
  readonly #consumer: string;
  readonly #ground: Ground;
  readonly #lead: Lead | undefined;
  readonly #handover: Handover | undefined;
  readonly #membership: Membership;
  /** Where messages that stand pending, and that nobody works on, are found. */
  readonly #pending: { look(room: number): Promise<readonly Claimed[]> };
  readonly #lending: Lending;
  readonly #reading: Reading;
  readonly #looks: Rounds;
  readonly #beats: Rounds;
  readonly #failures: Failures;
  readonly #end = Promise.withResolvers<PubSubError | undefined>();
  #node: Node | undefined;
  #unlisten: () => void = () => undefined;
  #joining = false;
  #over = false;

  constructor(request: SubscribeRequest, consumer: string, sink: Sink, ground: Ground) {
    this.topic = request.topic;
    this.group = request.group;
    this.#consumer = consumer;
    this.options = ground.options;
    this.clock = ground.clock;
    this.closed = this.#end.promise;
    this.#ground = ground;
    this.sink = sink;
    this.#failures = new Failures(ground.options.queueDepth, (error) => sink.interrupted(error ?? this.#lead?.obstacle));
    this.#lead = request.order === "none" ? undefined : new Lead(this, consumer);
    this.#lending = new Lending(this, this.#lead !== undefined, this);
    this.#handover = this.#lead && new Handover(this.#lead, this.#lending, this);
    this.#membership = new Membership(this, this.#lead, request.expiresAfterMs, () => this.touched());
    this.#pending = this.#lead ?? new Claims(this, this.#lending.leases);
    this.#reading = new Reading(
      this,
      () => this.#room,
      this.#lead?.read ?? this.#readNew,
      (rows, since) => {
        this.#failures.grow();
        if (this.#lead?.held !== false) for (const row of rows) this.#lending.hold(row, 0, since);
        this.#lend();
      },
    );
    this.#looks = new Rounds(this.clock, this.options.redeliverInterval, () => this.#look());
    this.#beats = new Rounds(this.clock, this.options.heartbeat, () => this.#beat());
  }

  get node(): Node | undefined {
    return this.#node;
  }

  get consumer(): string {
    return this.#lead?.consumer ?? this.#consumer;
  }

  get lead(): string | undefined {
    return this.#lead?.key;
  }

  get known(): ReadonlySet<string> {
    return new Set(this.#lending.leases.all.map(({ position }) => position));
  }

  get position(): string {
    return this.#reading.position;
  }

  set position(id: string) {
    this.#reading.position = id;
  }

  /** Joins the group. Rejects when the server cannot be reached now, or refuses. */
  async open(start: Start): Promise<void> {
    const node = this.#ground.servers.of(this.topic);
    if (!node?.up) throw node?.unavailable() ?? this.#ground.servers.unavailable();
    this.position = await this.#membership.join(node, start);
    this.#unlisten = this.#ground.servers.onChange(() => this.#settle());
    this.#settle();
    // Those who died may have left a group that is over.
    this.touched();
  }

  window(messages: number, bytes: number): void {
    this.#lending.window(messages, bytes);
    this.goOn();
  }

  async flush(signal: AbortSignal): Promise<void> {
    await within(this.#lending.settlements.flushed(), signal, "settling");
  }

  async close(signal: AbortSignal): Promise<void> {
    if (this.#over) return;
    this.#stop();
    // What is on its way to us must be here before it can be given back. When it does not come, the leases of it run out.
    await Promise.race([Promise.all([this.#reading.quiet, this.#looks.quiet]), aborted(signal)]);
    this.#lending.giveBackHeld();
    try {
      await within(this.#lending.settlements.flushed(), signal, "settling");
      // What is lent and not settled is left to its lease; in order, to the lead's.
      await within(this.#membership.leave(this.#lending.idle), signal, "leaving");
    } finally {
      this.#finish(undefined);
    }
  }

  async backlog(signal: AbortSignal): Promise<Backlog> {
    const node = this.#node;
    if (!node) throw this.#ground.servers.unavailable();
    const [messages, age] = (await within(backlog.run(node.read, [this.topic], this.group), signal, "backlog")) as [number, number];
    return { messages: messages < 0 ? undefined : messages, oldestMs: age < 0 ? undefined : age };
  }

  up(): void {
    this.sink.interrupted();
    this.#lending.settlements.resume();
    this.#beats.soon();
    this.#looks.soon();
    this.#reading.again();
  }

  down(error: PubSubError): void {
    if (!this.#over) this.sink.interrupted(error);
  }

  get takesBack(): boolean {
    return this.#lead?.held === true && !this.#over;
  }

  goOn(): void {
    this.#lend();
    this.#read();
  }

  settling(): void {
    this.#reading.along();
  }

  lost(leases: readonly Lease[], error: PubSubError): void {
    if (this.#lead?.has) void this.#handover?.startOver(leases, error);
    else this.sink.lost(leases, error);
  }

  get over(): boolean {
    return this.#over;
  }

  lookSoon(): void {
    this.#looks.soon();
  }

  touched(): void {
    this.#ground.touched(this.topic);
  }

  expired(): void {
    this.#handover?.lose(new PubSubError("unavailable", `the server did not renew the lead of ${this.group} on ${this.topic} in time`));
  }

  failed(error: PubSubError): void {
    if (isFenced(error)) this.#handover?.lose(error);
    else if (this.#over) return;
    else if (livesElsewhere(error)) {
      this.#ground.servers.moved();
      this.#failures.failed(error);
    } else if (error.code === "not_found") void this.#rejoin(error);
    else if (error.permanent || isLed(error)) this.#die(error);
    // Anything else passes: the next look, beat or connection tries again.
    else {
      this.#failures.shrink();
      this.#failures.failed(error);
    }
  }

  get #room(): number {
    if (this.#over || (this.#lead && (!this.#lead.held || this.#lead.resumes))) return 0;
    return this.#lending.room(this.#failures.most);
  }

  readonly #readNew: Read = (node, count, callback) => {
    node.read.send("xreadgroup", ["GROUP", this.group, this.#consumer, "COUNT", String(count), "STREAMS", this.topic, ">"], callback);
  };

  #read(): void {
    if (this.#lead?.resumes && this.#lending.room(1) > 0) this.#looks.soon();
    else this.#reading.read();
  }

  #lend(): void {
    if (this.#over) return;
    if (this.#lending.holds && this.#lead?.held !== false) this.#lending.lend();
    if (!this.#lending.paused) return;
    // Who may not lend must not keep from others what came too late for the window.
    if (!this.#lead) this.#lending.giveBackHeld();
    else if (this.#lending.idle) void this.#handover?.stepDown();
  }

  /** The group is gone under us (FLUSHALL, XGROUP DESTROY, a failover to an older copy). */
  async #rejoin(why: PubSubError): Promise<void> {
    const node = this.#node;
    if (this.#joining || !node?.read.up) return;
    this.#joining = true;
    try {
      this.position = await this.#membership.rejoin(node);
      if (this.#lead?.has) await this.#handover?.startOver([], why);
      this.#joining = false;
      this.#looks.soon();
      this.#reading.again();
    } catch (error) {
      this.#joining = false;
      this.failed(asPubSubError(error));
    }
  }

  /** The server of the topic may be another one now. */
  #settle(): void {
    const node = this.#ground.servers.of(this.topic);
    if (node === this.#node) return;
    this.#node?.leave(this);
    this.#node?.doorbells.forget(this.#reading);
    this.#node = node;
    node?.enter(this);
    if (node?.up) this.up();
    else if (node) this.down(node.unavailable());
  }

  async #beat(): Promise<void> {
    try {
      await this.#membership.beat();
    } catch (error) {
      this.failed(asPubSubError(error));
    }
    await this.#lending.leases.renew();
  }

  async #look(): Promise<void> {
    const room = this.#lending.room(this.#failures.most);
    const since = this.clock.elapsed();
    if (room === 0 || !this.#node?.read.up) return;
    const obstacle = this.#lead?.obstacle;
    try {
      const found = await this.#pending.look(room);
      this.#failures.looked();
      for (const { row, failures } of found) this.#lending.hold(row, failures, since);
      this.#lend();
      if (found.length >= room) {
        this.#failures.grow();
        this.#looks.soon();
      }
      if (this.#lead?.resumes) this.#read();
      else this.#reading.again();
    } catch (error) {
      this.failed(asPubSubError(error));
    }
    if (this.#lead && this.#lead.obstacle !== obstacle) this.sink.interrupted(this.#lead.obstacle);
  }

  #stop(): void {
    this.#over = true;
    this.#beats.stop();
    this.#looks.stop();
    this.#reading.stop();
    this.#unlisten();
  }

  #die(error: PubSubError): void {
    this.#stop();
    const lost = this.#lending.clear();
    if (lost.length > 0) this.sink.lost(lost, error);
    this.#finish(error);
  }

  #finish(error: PubSubError | undefined): void {
    this.#lending.clear();
    this.#lead?.lose();
    this.#lending.settlements.stop();
    this.#node?.leave(this);
    this.#ground.left(this);
    this.#end.resolve(error);
  }
}
