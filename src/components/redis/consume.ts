import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Backlog, Sink, Start, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { Claims } from "./claims.ts";
import type { RedisOptions } from "./config.ts";
import type { Reply } from "./connection.ts";
import type { Watcher } from "./doorbell.ts";
import { decodeEntry } from "./entry.ts";
import { livesElsewhere } from "./errors.ts";
import { compareIds, ZERO } from "./id.ts";
import type { Lease, LeaseKeeper } from "./lease.ts";
import { Leases } from "./leases.ts";
import type { Member } from "./member.ts";
import type { Node, NodeUser } from "./node.ts";
import { backlog, join, leave, rejoin } from "./scripts.ts";
import type { Servers } from "./servers.ts";
import { Settlements } from "./settlements.ts";
import { startId } from "./start.ts";
import { Window } from "./window.ts";
import { aborted, within } from "./within.ts";

/** A read that brings so many tells of a busy stream. */
const BUSY_ROWS = 8;
/** It is read again with the next settlements, and so soon at the latest. */
const BUSY_MS = 2;

/** What a reader needs of its component. */
export interface Ground {
  readonly servers: Servers;
  readonly options: RedisOptions;
  readonly clock: Clock;
  /** There may be something to trim. */
  touched(topic: string): void;
  left(reader: Reader): void;
}

/** One reader of a group: a consumer of its own, which reads when the doorbell rings, and keeps the leases of what it read. */
export class Reader implements Subscription, Member, Watcher, NodeUser, LeaseKeeper {
  readonly closed: Promise<PubSubError | undefined>;
  readonly topic: string;
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly options: RedisOptions;
  readonly clock: Clock;
  /** The group has read up to here, as far as we know. */
  position = ZERO;
  readonly #ground: Ground;
  readonly #sink: Sink;
  readonly #window = new Window();
  readonly #leases: Leases;
  readonly #settlements: Settlements;
  readonly #claims: Claims;
  readonly #end = Promise.withResolvers<PubSubError | undefined>();
  /** Read and not lent yet, because the window was smaller than a read. */
  #held: Lease[] = [];
  #node: Node | undefined;
  #unlisten: () => void = () => undefined;
  #cancelBeat: () => void = () => undefined;
  #cancelLook: () => void = () => undefined;
  #cancelRead: () => void = () => undefined;
  #reading = false;
  /** There may be entries that the group has not read. After a read that brought less than it asked for there are none: the doorbell tells of new ones. */
  #more = true;
  /** The last read brought many: the next one need not wait for the doorbell. */
  #busy = false;
  /** The doorbell rang, and nothing was read since. */
  #rung = false;
  #looking: Promise<void> = Promise.resolve();
  #readEnded: () => void = () => undefined;
  #joining = false;
  #over = false;

  constructor(request: SubscribeRequest, consumer: string, sink: Sink, ground: Ground) {
    this.topic = request.topic;
    this.stream = request.topic;
    this.group = request.group;
    this.consumer = consumer;
    this.options = ground.options;
    this.clock = ground.clock;
    this.closed = this.#end.promise;
    this.#ground = ground;
    this.#sink = sink;
    this.#leases = new Leases(this, this.#window, (lost, error) => sink.lost(lost, error));
    this.#settlements = new Settlements(this, this.#leases, () => this.#readAlong());
    this.#claims = new Claims(this, this.#leases);
  }

  get node(): Node | undefined {
    return this.#node;
  }

  /** Joins the group. Rejects when the server cannot be reached now, or refuses. */
  async open(start: Start): Promise<void> {
    const node = this.#ground.servers.of(this.topic);
    if (!node?.up) throw node?.unavailable() ?? new PubSubError("unavailable", "the layout of the cluster is not known yet");
    this.position = String(await join.run(node.read, this.topic, this.group, startId(start), this.consumer));
    this.#unlisten = this.#ground.servers.onChange(() => this.#settle());
    this.#settle();
    this.#beatLater();
    this.#lookSoon(0);
  }

  window(messages: number, bytes: number): void {
    this.#window.set(messages, bytes);
    this.#lend();
    this.#read();
  }

  async flush(signal: AbortSignal): Promise<void> {
    await within(this.#settlements.flushed(), signal, "settling");
  }

  async close(signal: AbortSignal): Promise<void> {
    if (this.#over) return;
    this.#stop();
    await this.#quiet(signal);
    this.#giveBackHeld();
    try {
      await within(this.#settlements.flushed(), signal, "settling");
      const node = this.#node;
      if (node?.read.up) await within(leave.run(node.read, this.topic, this.group, this.consumer), signal, "leaving");
    } finally {
      this.#finish(undefined);
    }
  }

  async backlog(signal: AbortSignal): Promise<Backlog> {
    const node = this.#node;
    if (!node) throw new PubSubError("unavailable", "the layout of the cluster is not known yet");
    const [messages, age] = (await within(backlog.run(node.read, this.topic, this.group), signal, "backlog")) as [number, number];
    return { messages: messages < 0 ? undefined : messages, oldestMs: age < 0 ? undefined : age };
  }

  /** The doorbell: there may be something after `position`. */
  ring(): void {
    this.#more = true;
    this.#rung = true;
    this.#read();
  }

  up(): void {
    this.#more = true;
    this.#sink.interrupted();
    this.#settlements.resume();
    void this.#leases.renew();
    this.#lookSoon(0);
    this.#read();
  }

  down(error: PubSubError): void {
    if (!this.#over) this.#sink.interrupted(error);
  }

  changed(lease: Lease): void {
    if (lease.state !== "lent") this.#window.giveBack(lease.size);
    this.#settlements.add(lease);
    if (lease.state === "acked") this.#ground.touched(this.topic);
    this.#lend();
    this.#read();
  }

  failed(error: PubSubError): void {
    if (this.#over) return;
    if (livesElsewhere(error)) this.#ground.servers.moved();
    else if (error.code === "not_found") void this.#rejoin();
    else if (error.permanent) this.#die(error);
    // Anything else passes: the next look, beat or connection tries again.
  }

  /** The group is gone under us (FLUSHALL, a failover to an older copy): it goes on where we were. */
  async #rejoin(): Promise<void> {
    const node = this.#node;
    if (this.#joining || !node?.read.up) return;
    this.#joining = true;
    try {
      this.position = String(await rejoin.run(node.read, this.topic, this.group, this.position));
      this.#joining = false;
      this.#more = true;
      this.#read();
    } catch (error) {
      this.#joining = false;
      this.failed(asPubSubError(error));
    }
  }

  #settle(): void {
    const node = this.#ground.servers.of(this.topic);
    if (node === this.#node) return;
    this.#node?.leave(this);
    this.#node?.doorbells.forget(this);
    this.#node = node;
    node?.enter(this);
    if (node?.up) this.up();
    else if (node) this.down(node.unavailable());
  }

  #read(): void {
    const node = this.#node;
    const room = this.#held.length > 0 ? 0 : this.#window.room(this.options.queueDepth);
    if (!this.#more || this.#over || this.#reading || room === 0 || !node?.read.up) return;
    this.#reading = true;
    node.doorbells.forget(this);
    const since = this.clock.elapsed();
    const args = ["GROUP", this.group, this.consumer, "COUNT", String(room), "STREAMS", this.topic, ">"];
    node.read.send("xreadgroup", args, (error, reply) => {
      this.#reading = false;
      this.#readEnded();
      if (error) this.failed(error);
      else if (reply === null) this.#nothingCame(node);
      else this.#arrived((reply as readonly [readonly [Reply, readonly (readonly Reply[])[]]])[0][1], room, since, node);
    });
  }

  #arrived(rows: readonly (readonly Reply[])[], room: number, since: number, node: Node): void {
    this.#rung = false;
    this.#more = rows.length === room;
    // The last is the greatest.
    const last = String(rows[rows.length - 1]?.[0]);
    if (compareIds(last, this.position) > 0) this.position = last;
    for (const row of rows) this.#hold(row, 0, since);
    this.#lend();
    if (this.#more) this.#read();
    else if (rows.length >= BUSY_ROWS) this.#readSoon();
    else this.#wait(node);
  }

  /** A busy stream needs no doorbell: in a moment there is more, and one command is cheaper than two. */
  #readSoon(): void {
    this.#busy = true;
    this.#cancelRead();
    this.#cancelRead = this.clock.after(BUSY_MS, () => this.#readAlong());
  }

  #readAlong(): void {
    if (!this.#busy) return;
    this.#busy = false;
    this.#cancelRead();
    this.#more = true;
    this.#read();
  }

  #nothingCame(node: Node): void {
    this.#more = false;
    // It rang for what others have read: it must not ring for that again.
    if (this.#rung) void this.#catchUp(node);
    else this.#wait(node);
  }

  async #catchUp(node: Node): Promise<void> {
    this.#rung = false;
    try {
      const position = String(await join.run(node.read, this.topic, this.group, this.position));
      if (compareIds(position, this.position) > 0) this.position = position;
      this.#wait(node);
    } catch (error) {
      this.failed(asPubSubError(error));
    }
  }

  #wait(node: Node): void {
    if (!this.#over && !this.#reading && !this.#more && this.#node === node) node.doorbells.wait(this);
  }

  #hold(row: readonly Reply[], failures: number, since: number): void {
    const entry = decodeEntry(row);
    if (this.#leases.get(entry.position)) return;
    this.#window.seen(entry.size);
    this.#held.push(this.#leases.add(entry, failures, since, this));
  }

  #lend(): void {
    const batch: Lease[] = [];
    while (!this.#over && this.#held[0] && this.#window.admits(this.#held[0].size)) {
      const lease = this.#held.shift() as Lease;
      if (lease.state !== "held") continue;
      lease.state = "lent";
      this.#window.lend(lease.size);
      batch.push(lease);
    }
    if (batch.length > 0) this.#sink.deliver(batch);
    // Who may not lend must not keep from others what came too late for the window.
    if (this.#window.closed) this.#giveBackHeld();
  }

  #giveBackHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const lease of held) {
      lease.state = "released";
      this.#settlements.add(lease);
    }
  }

  #beatLater(): void {
    this.#cancelBeat = this.clock.after(this.options.heartbeat, () => {
      void this.#leases.renew();
      this.#beatLater();
    });
  }

  #lookSoon(ms: number): void {
    this.#cancelLook();
    if (this.#over) return;
    this.#cancelLook = this.clock.after(ms, () => {
      this.#looking = this.#look();
    });
  }

  async #look(): Promise<void> {
    const room = this.#held.length > 0 ? 0 : this.#window.room(this.options.queueDepth);
    const since = this.clock.elapsed();
    if (room > 0 && this.#node?.read.up) {
      try {
        for (const { row, failures } of await this.#claims.look(room)) this.#hold(row, failures, since);
        this.#lend();
        this.#more = true;
        this.#read();
      } catch (error) {
        this.failed(asPubSubError(error));
      }
    }
    this.#lookSoon(this.options.redeliverInterval);
  }

  /** What is on its way to us must be here before it can be given back. When it does not come, the leases of it run out. */
  async #quiet(signal: AbortSignal): Promise<void> {
    const read = this.#reading ? new Promise<void>((resolve) => (this.#readEnded = resolve)) : Promise.resolve();
    await Promise.race([Promise.all([read, this.#looking]), aborted(signal)]);
  }

  #stop(): void {
    this.#over = true;
    this.#cancelBeat();
    this.#cancelLook();
    this.#cancelRead();
    this.#unlisten();
    this.#node?.doorbells.forget(this);
  }

  #die(error: PubSubError): void {
    this.#stop();
    const lost = this.#leases.all.filter(({ state }) => state === "lent");
    for (const lease of lost) this.#leases.remove(lease);
    if (lost.length > 0) this.#sink.lost(lost, error);
    this.#finish(error);
  }

  #finish(error: PubSubError | undefined): void {
    for (const lease of this.#leases.all) this.#leases.remove(lease);
    this.#settlements.stop();
    this.#node?.leave(this);
    this.#ground.left(this);
    this.#end.resolve(error);
  }
}

/** A fault of the program is no error of the broker: it must be seen. */
function asPubSubError(error: unknown): PubSubError {
  if (error instanceof PubSubError) return error;
  throw error;
}
