import type { Clock } from "../../pubsub/clock.ts";
import type { Connection, Reply, ReplyCallback } from "./connection.ts";
import { isApart } from "./errors.ts";
import { compareIds } from "./id.ts";

export interface Watcher {
  readonly stream: string;
  /** Rings for entries after this id. */
  readonly position: string;
  /** There may be something to read. The watcher is no longer waiting; it asks again when it has read. */
  ring(): void;
}

/** What one XREAD costs a stream, so that a doorbell of many streams is not taken up and hung out again for every message of one. */
const ARM_MS_PER_STREAM = 0.01;
const RETRY_MS = 1_000;
const UNBLOCK_RETRY_MS = 1;
/** Streams of several slots cannot be waited for in one call: they are asked so often. */
const TURN_MS = 20;
/** Where CLIENT UNBLOCK is forbidden, the doorbell blocks no longer than this, and so learns of new watchers. */
const SHORT_BLOCK_MS = 100;

/**
 * Waits for new entries on any number of streams with one blocked XREAD, which consumes nothing: who gets the entries is decided by the
 * reads that follow. Streams of several slots are asked in turn instead. A stream that is being read does not hang on the doorbell.
 */
export class Doorbell {
  readonly #bell: Connection;
  readonly #control: Connection;
  readonly #clock: Clock;
  readonly #slotOf: (stream: string) => number;
  readonly #apart: () => boolean;
  #blockMs: number;
  readonly #waiting = new Set<Watcher>();
  /** Who the blocked XREAD stands for; undefined when there is none. */
  #armed: Set<Watcher> | undefined;
  #clientId: string | undefined;
  #armedAt = Number.NEGATIVE_INFINITY;
  /** Whether it stands for streams of one slot, and so can block. */
  #blocks = true;
  #scheduled = false;
  #closed = false;

  /** `slotOf`: streams of one slot can be waited for in one call. `apart`: the server said that those of one call are of several; false if it was told so before. */
  constructor(
    bell: Connection,
    control: Connection,
    clock: Clock,
    blockMs: number,
    slotOf: (stream: string) => number,
    apart: () => boolean,
  ) {
    this.#apart = apart;
    this.#slotOf = slotOf;
    this.#bell = bell;
    this.#control = control;
    this.#clock = clock;
    this.#blockMs = blockMs;
  }

  wait(watcher: Watcher): void {
    this.#waiting.add(watcher);
    this.#schedule();
  }

  forget(watcher: Watcher): void {
    this.#waiting.delete(watcher);
  }

  /** Who waits does so no longer. */
  release(): readonly Watcher[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }

  /** The connection stands anew: nothing is blocked on it. */
  connected(): void {
    this.#armed = undefined;
    this.#clientId = undefined;
    this.#bell.send("client", ["ID"], (error, id) => {
      if (!error) this.#clientId = String(id);
      // Nobody can end a block that has no name: it must be short.
      else if (error.outcome === "rejected") this.#blockMs = SHORT_BLOCK_MS;
    });
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    const cost = Math.max(this.#waiting.size * ARM_MS_PER_STREAM, this.#blocks ? 0 : TURN_MS);
    const rest = this.#armedAt + cost - this.#clock.elapsed();
    const refresh = () => {
      this.#scheduled = false;
      this.#refresh();
    };
    if (rest > 1) this.#clock.after(rest, refresh);
    else setImmediate(refresh);
  }

  #refresh(): void {
    if (this.#closed || this.#waiting.size === 0 || !this.#bell.up) return;
    if (!this.#armed) this.#arm();
    else if (this.#blocks && ![...this.#waiting].every((watcher) => this.#armed?.has(watcher))) this.#unblock(this.#armed);
  }

  #arm(): void {
    const bySlot = new Map<number, Set<Watcher>>();
    for (const watcher of this.#waiting) {
      const slot = this.#slotOf(watcher.stream);
      const group = bySlot.get(slot) ?? new Set();
      bySlot.set(slot, group.add(watcher));
    }
    const armed = new Set(this.#waiting);
    this.#armed = armed;
    this.#armedAt = this.#clock.elapsed();
    this.#blocks = bySlot.size === 1;
    let left = bySlot.size;
    for (const watchers of bySlot.values()) {
      this.#ask(watchers, (error, reply) => {
        if (this.#armed !== armed) return;
        left -= 1;
        if (left === 0) this.#armed = undefined;
        if (error?.outcome === "unknown") return;
        if (error && isApart(error) && this.#apart()) {
          this.#schedule();
          return;
        }
        if (error) {
          // One stream that cannot be read fails them all. Its own reader finds out which; until then every reader looks by itself.
          this.#clock.after(RETRY_MS, () => this.#ring(watchers, undefined));
          return;
        }
        if (reply !== null) this.#ring(watchers, streamsOf(reply));
        if (left === 0) this.#schedule();
      });
    }
  }

  #ask(watchers: ReadonlySet<Watcher>, callback: ReplyCallback): void {
    const positions = new Map<string, string>();
    for (const { stream, position } of watchers) {
      const known = positions.get(stream);
      if (known === undefined || compareIds(position, known) < 0) positions.set(stream, position);
    }
    const block = this.#blocks ? ["BLOCK", String(this.#blockMs)] : [];
    this.#bell.send("xread", ["COUNT", "1", ...block, "STREAMS", ...positions.keys(), ...positions.values()], callback);
  }

  #ring(armed: ReadonlySet<Watcher>, streams: ReadonlySet<string> | undefined): void {
    for (const watcher of armed) {
      if (streams !== undefined && !streams.has(watcher.stream)) continue;
      if (this.#waiting.delete(watcher)) watcher.ring();
    }
    this.#schedule();
  }

  #unblock(armed: ReadonlySet<Watcher>): void {
    if (this.#clientId === undefined && this.#blockMs === SHORT_BLOCK_MS) return;
    if (this.#clientId === undefined || !this.#control.up) {
      this.#clock.after(UNBLOCK_RETRY_MS, () => this.#schedule());
      return;
    }
    this.#control.send("client", ["UNBLOCK", this.#clientId], (error, count) => {
      if (error && error.outcome === "rejected" && this.#control.up) this.#blockMs = SHORT_BLOCK_MS;
      // 0: the XREAD has not reached the server yet, or its reply is on its way.
      else if (count === 0 && this.#armed === armed) this.#clock.after(UNBLOCK_RETRY_MS, () => this.#schedule());
    });
  }
}

function streamsOf(reply: Reply): ReadonlySet<string> {
  const streams = new Set<string>();
  for (const row of reply as readonly (readonly Reply[])[]) streams.add(String(row[0]));
  return streams;
}
