import type { Clock } from "../../pubsub/clock.ts";
import { Changes } from "../changes.ts";
import { ask } from "./ask.ts";
import type { Host, RedisOptions } from "./config.ts";
import type { Reply } from "./connection.ts";
import { Dials } from "./dial.ts";
import { Node } from "./node.ts";
import type { Servers } from "./servers.ts";
import { slotOf } from "./slot.ts";

const RETRY_MS = 500;
const SLOTS = 16_384;

/** The masters of a cluster, and which slots each has. The layout is asked for at the start, when a server says MOVED, and when one is lost. */
export class Cluster implements Servers {
  readonly changes = new Changes();
  readonly #options: RedisOptions;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #nodes = new Map<string, Node>();
  readonly #bySlot = new Array<Node | undefined>(SLOTS);
  readonly #listeners = new Set<() => void>();
  /** Undefined: nothing is to be asked again. */
  #cancelRetry: (() => void) | undefined;
  #asking = false;
  readonly #closing = new AbortController();

  constructor(options: RedisOptions, name: string, clock: Clock) {
    this.#options = options;
    this.#name = name;
    this.#clock = clock;
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

  moved(): void {
    if (this.#asking || this.#closing.signal.aborted) return;
    this.#asking = true;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    const known = [...this.#nodes.keys()].map(hostOf);
    void this.#discover([...known, ...this.#options.hosts]);
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
  async #discover(hosts: readonly Host[]): Promise<void> {
    const dials = new Dials(this.#options, this.#clock);
    for (const host of hosts) {
      const dial = dials.to(host, "layotto:layout");
      const layout = await ask(dial, this.#options.readTimeout, (server) => server.call("cluster", "SLOTS"), this.#closing.signal).catch(
        () => undefined,
      );
      if (this.#closing.signal.aborted) return;
      if (layout === undefined) continue;
      this.#asking = false;
      this.#apply(layout, host);
      return;
    }
    this.#asking = false;
    this.#later();
  }

  /** Rows of first slot, last slot, master, replicas. */
  #apply(layout: Reply, asked: Host): void {
    const named = new Set<string>();
    this.#bySlot.fill(undefined);
    for (const row of layout as readonly (readonly Reply[])[]) {
      const [first, last, master] = row as readonly [number, number, readonly Reply[]];
      const host = { host: String(master[0] ?? "") || asked.host, port: Number(master[1]) };
      const key = `${host.host}|${host.port}`;
      named.add(key);
      this.#bySlot.fill(this.#node(key, host), first, last + 1);
    }
    for (const [key, node] of this.#nodes) {
      if (named.has(key)) continue;
      this.#nodes.delete(key);
      node.close();
    }
    for (const listener of [...this.#listeners]) listener();
    this.changes.tell();
    if (named.size === 0) this.#later();
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
  #later(): void {
    this.#cancelRetry ??= this.#clock.after(RETRY_MS, () => {
      this.#cancelRetry = undefined;
      this.moved();
    });
  }
}

function hostOf(key: string): Host {
  const [host = "", port = ""] = key.split("|");
  return { host, port: Number(port) };
}
