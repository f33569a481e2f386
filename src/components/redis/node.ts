import type { Clock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { Host, RedisOptions } from "./config.ts";
import { Connection, type ConnectionListener } from "./connection.ts";
import { Dials } from "./dial.ts";
import { Doorbell } from "./doorbell.ts";
import { Doorbells } from "./doorbells.ts";
import { WAIT_MS } from "./publish.ts";
import { slotOf } from "./slot.ts";

export interface NodeUser {
  /** All connections stand (again). */
  up(): void;
  down(error: PubSubError): void;
}

/** How long the doorbell blocks. It also bounds how late a dead connection of an idle system is noticed. */
const BLOCK_MS = 5_000;
const PING_MS = 5_000;

/**
 * One server, and the three connections that everything on it shares, however many subscriptions there are: the doorbell blocks on one
 * (in a cluster there are more of them), reads and claims go over another, publishes and settlements over the third. A large publish so never delays a read.
 */
export class Node {
  /** In words. */
  readonly address: string;
  readonly read: Connection;
  readonly write: Connection;
  readonly doorbells: Doorbells;
  readonly #bell: Connection;
  /** Of the doorbells beside the first. */
  readonly #more: Connection[] = [];
  readonly #users = new Set<NodeUser>();
  readonly #clock: Clock;
  #cancelPing: () => void = () => undefined;
  #sharded: boolean;
  #wasUp = false;
  #failed: PubSubError | undefined;

  constructor(options: RedisOptions, host: Host, name: string, clock: Clock) {
    this.#clock = clock;
    this.#sharded = options.redisType === "cluster";
    const dials = new Dials(options, clock);
    this.address = dials.to(host, name).address;
    const dial = (role: string, silenceMs: number, listener: Partial<ConnectionListener>) =>
      new Connection(dials.to(host, `layotto:${name.replace(/[^\x21-\x7e]/g, "_")}:${role}`), silenceMs, {
        up: () => this.#up(),
        down: (error) => this.#down(error),
        demoted: () => this.#dropAll(),
        ...listener,
      });
    this.read = dial("read", options.readTimeout, {});
    // It waits for replicas in silence.
    this.write = dial("write", options.readTimeout + (options.waitReplicas > 0 ? WAIT_MS : 0), {});
    const bell = (listener: Partial<ConnectionListener>): readonly [Connection, Doorbell] => {
      const connection = dial("doorbell", BLOCK_MS + options.readTimeout, {
        ...listener,
        up: () => {
          doorbell.connected();
          listener.up?.();
        },
      });
      const slot = (stream: string) => (this.#sharded ? slotOf(stream) : 0);
      const doorbell = new Doorbell(connection, this.read, clock, BLOCK_MS, slot, () => this.isSharded());
      return [connection, doorbell];
    };
    const [connection, first] = bell({ up: () => this.#up() });
    this.#bell = connection;
    // One of many doorbells that is away makes its streams late, and nothing else.
    const another = () => {
      const [more, doorbell] = bell({ up: () => undefined, down: () => undefined });
      this.#more.push(more);
      more.open();
      return doorbell;
    };
    this.doorbells = new Doorbells(first, another, this.#sharded ? slotOf : undefined);
  }

  open(): void {
    for (const connection of this.#all()) connection.open();
    this.#pingLater();
  }

  get up(): boolean {
    return this.#all().every((connection) => connection.up);
  }

  /** Why the last attempt to connect failed. Undefined: none did since it last stood. */
  get failed(): PubSubError | undefined {
    return this.#failed;
  }

  /** What it does in one step must be of one slot. */
  get sharded(): boolean {
    return this.#sharded;
  }

  /** One address that stands for several servers says so only when it is asked for too much at once (Redis Enterprise, Azure). False: it has. */
  isSharded(): boolean {
    if (this.#sharded) return false;
    this.#sharded = true;
    this.doorbells.split(slotOf);
    return true;
  }

  unavailable(): PubSubError {
    return (this.#all().find((connection) => !connection.up) ?? this.write).unavailable();
  }

  enter(user: NodeUser): void {
    this.#users.add(user);
  }

  leave(user: NodeUser): void {
    this.#users.delete(user);
  }

  close(): void {
    this.#cancelPing();
    this.doorbells.close();
    for (const connection of [...this.#all(), ...this.#more]) connection.close();
  }

  #all(): readonly Connection[] {
    return [this.write, this.read, this.#bell];
  }

  #up(): void {
    if (this.#wasUp || !this.up) return;
    this.#wasUp = true;
    this.#failed = undefined;
    for (const user of [...this.#users]) user.up();
  }

  #down(error: PubSubError): void {
    this.#wasUp = false;
    this.#failed = error;
    for (const user of [...this.#users]) user.down(error);
  }

  #dropAll(): void {
    for (const connection of [...this.#all(), ...this.#more]) connection.drop();
  }

  /** A server that falls silent is noticed by the reply it owes, so an idle connection asks for one now and then. */
  #pingLater(): void {
    this.#cancelPing = this.#clock.after(PING_MS, () => {
      for (const connection of [this.read, this.write]) if (connection.up) connection.send("ping", [], () => undefined);
      this.#pingLater();
    });
  }
}
