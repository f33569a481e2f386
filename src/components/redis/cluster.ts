import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import { Changes } from "../changes.ts";
import { ask } from "./ask.ts";
import type { Host, RedisOptions } from "./config.ts";
import type { Reply } from "./connection.ts";
import { Dials } from "./dial.ts";
import { Node } from "./node.ts";
import { Row } from "./row.ts";
import type { Servers } from "./servers.ts";
import { slotOf } from "./slot.ts";

const RETRY_MS = 500;
/** Slots that move are told of by every command for them, and a layout says no more than the last one for a while. */
const LEAST_MS = 100;
const SLOTS = 16_384;

/** The masters of a cluster, and which slots each has. The layout is asked for at the start, when a server says MOVED, and when one is lost. */
export class Cluster implements Servers {
  readonly changes = new Changes();
  readonly #options: RedisOptions;
  readonly #name: string;
  readonly #clock: Clock;
  /** Who was asked last is at the end: one that was cut off from the others, or removed, is not the only one that is believed. */
  readonly #row: Row;
  readonly #nodes = new Map<string, Node>();
  readonly #bySlot = new Array<Node | undefined>(SLOTS);
  readonly #listeners = new Set<() => void>();
  /** Undefined: nothing is to be asked again. */
  #cancelRetry: (() => void) | undefined;
  #asking = false;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** Why the layout was not told the last time. */
  #failed: string | undefined;
  readonly #closing = new AbortController();

  constructor(options: RedisOptions, name: string, clock: Clock) {
    this.#options = options;
    this.#name = name;
    this.#clock = clock;
    this.#row = new Row(options.hosts);
  }

  open(): void {
    this.moved();
  }

  of(stream: string): Node | undefined {
    return this.#bySlot[slotOf(stream)];
  }

  get nodes(): readonly Node[] {
    return [...this.#nodes.values()];
  }

  unavailable(): PubSubError {
    const why = this.#failed === undefined ? "" : `: ${this.#failed}`;
    return new PubSubError("unavailable", `the layout of the cluster is not known yet${why}`);
  }

  moved(): void {
    if (this.#asking || this.#closing.signal.aborted) return;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    const rest = this.#toldAt + LEAST_MS - this.#clock.elapsed();
    if (rest > 0) {
      this.#later(rest);
      return;
    }
    this.#asking = true;
    void this.#discover();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closing.abort();
    this.#cancelRetry?.();
    for (const node of this.#nodes.values()) node.close();
    this.changes.tell();
  }

  /** Asks one server after the other, each over a connection of its own, until one tells the layout. */
  async #discover(): Promise<void> {
    const dials = new Dials(this.#options, this.#clock);
    for (const host of this.#row.hosts) {
      this.#row.toTheEnd(host);
      const dial = dials.to(host, "layotto:layout");
      let layout: readonly (readonly Reply[])[];
      try {
        const slots = await ask(dial, this.#options.readTimeout, (server) => server.call("cluster", "SLOTS"), this.#closing.signal);
        layout = slots as readonly (readonly Reply[])[];
      } catch (error) {
        this.#failed = asPubSubError(error).message;
        if (this.#closing.signal.aborted) return;
        continue;
      }
      if (this.#closing.signal.aborted) return;
      // One without any slot belongs to no cluster any more, or not yet.
      if (layout.length === 0) {
        this.#failed = `${dial.address} has no slot of a cluster`;
        continue;
      }
      this.#asking = false;
      this.#toldAt = this.#clock.elapsed();
      this.#failed = undefined;
      this.#apply(layout, host);
      return;
    }
    this.#asking = false;
    this.#later();
  }

  /** Rows of first slot, last slot, master, replicas. */
  #apply(layout: readonly (readonly Reply[])[], asked: Host): void {
    const masters = new Map<string, Host>();
    this.#bySlot.fill(undefined);
    for (const row of layout) {
      const [first, last, master] = row as readonly [number, number, readonly Reply[]];
      const host = { host: String(master[0] ?? "") || asked.host, port: Number(master[1]) };
      const key = `${host.host}|${host.port}`;
      masters.set(key, host);
      this.#bySlot.fill(this.#node(key, host), first, last + 1);
    }
    for (const [key, node] of this.#nodes) {
      if (masters.has(key)) continue;
      this.#nodes.delete(key);
      node.close();
    }
    this.#row.learn([...masters.values()]);
    for (const listener of [...this.#listeners]) listener();
    this.changes.tell();
    if (this.#bySlot.includes(undefined)) this.#later();
  }

  #node(key: string, host: Host): Node {
    let node = this.#nodes.get(key);
    if (node) return node;
    node = new Node(this.#options, host, this.#name, this.#clock);
    node.enter({
      up: () => this.changes.tell(),
      down: () => {
        this.changes.tell();
        this.#later();
      },
    });
    this.#nodes.set(key, node);
    node.open();
    return node;
  }

  /** A timer that runs is left alone: a server that is away says so more often than it fires. */
  #later(ms = RETRY_MS): void {
    this.#cancelRetry ??= this.#clock.after(ms, () => {
      this.#cancelRetry = undefined;
      this.moved();
    });
  }
}
