import { setTimeout as passes } from "node:timers/promises";
import type { Publisher } from "layotto-sdk";
import { RpcError } from "layotto-transport";
import type { Ledger } from "./ledger.ts";
import { PUBSUB } from "./names.ts";
import { written } from "./payload.ts";

/** Publishes under way at once, and the keys when there are any: each publisher has its own, so that a key's messages have an order. */
export const PUBLISHERS = 16;
/** A publisher that was refused does not ask again at once, or it would do nothing else while a sidecar is away. */
const REFUSED_MS = 10;
const PUBLISH_MS = 5_000;
/** Publishers wait for an app that is slow or away, or a scenario would take as long as its backlog. */
export const MOST_OWED = 1_000;

export interface LoadOptions {
  readonly topics: readonly string[];
  readonly ordered: boolean;
  readonly bytes: number;
  /** So many messages on their way, and publishing pauses. */
  readonly mostOwed: number;
  /** Where the next one goes: a sidecar that works. Undefined: there is none at the moment. */
  readonly publisher: (number: number) => Publisher | undefined;
}

/** Publishes without pause. A publish that fails is not tried again: only what was acknowledged is owed. */
export class Load {
  readonly #ledger: Ledger;
  readonly #options: LoadOptions;
  #on = false;
  #publishers: Promise<void>[] = [];
  /** Publishes that were not acknowledged, by why. */
  readonly refused = new Map<string, number>();

  constructor(ledger: Ledger, options: LoadOptions) {
    this.#ledger = ledger;
    this.#options = options;
  }

  start(): void {
    if (this.#on) return;
    this.#on = true;
    this.#publishers = Array.from({ length: PUBLISHERS }, (_, index) => this.#publish(this.#options.ordered ? `k${index}` : undefined));
  }

  async stop(): Promise<void> {
    this.#on = false;
    await Promise.all(this.#publishers);
  }

  /** One message; resolves to its number once it is acknowledged. */
  async publishOne(key?: string, metadata: Readonly<Record<string, string>> = {}): Promise<number> {
    const number = this.#ledger.next();
    const { topics, bytes, publisher } = this.#options;
    const topic = topics[number % topics.length] ?? "";
    const sidecar = publisher(number);
    if (!sidecar) throw new Error("there is no sidecar that works");
    await sidecar.publishEvent(PUBSUB, topic, written(number, key, bytes), {
      metadata: { ...metadata, ...(key !== undefined && { partitionKey: key }) },
      timeoutMs: PUBLISH_MS,
    });
    this.#ledger.acknowledge(number, key);
    return number;
  }

  async #publish(key: string | undefined): Promise<void> {
    while (this.#on) {
      if (this.#ledger.owed >= this.#options.mostOwed) {
        await passes(REFUSED_MS);
        continue;
      }
      try {
        await this.publishOne(key);
      } catch (error) {
        const why = error instanceof RpcError ? `${error.code}` : String(error);
        this.refused.set(why, (this.refused.get(why) ?? 0) + 1);
        await passes(REFUSED_MS);
      }
    }
  }
}
