import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError } from "../../pubsub/error.ts";
import { type Backoff, waitMs } from "../../resiliency/backoff.ts";
import type { Reader } from "./consume.ts";
import type { Entities } from "./entities.ts";

/** Spread: sidecars that started together must not ask together. */
const LOOK: Backoff = { firstMs: 60_000, mostMs: 60_000 };

/** Looks once a minute whether the subscriptions of all groups still stand: their queues stay, and nothing else tells. */
export class Lookout {
  readonly #entities: Entities;
  readonly #readers: ReadonlySet<Reader>;
  readonly #clock: Clock;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(entities: Entities, readers: ReadonlySet<Reader>, clock: Clock) {
    this.#entities = entities;
    this.#readers = readers;
    this.#clock = clock;
  }

  /** From now on. May be called more than once. */
  start(): void {
    if (this.#stopped) return;
    this.#cancel ??= this.#clock.after(waitMs(LOOK, 1, this.#clock.random()), () => void this.#lookAtAll());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  async look(topic: string): Promise<void> {
    try {
      await this.#entities.look(topic);
    } catch (error) {
      // Until it succeeds nothing is published to the topic from here, and those who publish or read are told why when they ask.
      asPubSubError(error);
    }
    for (const reader of this.#readers) if (reader.topic === topic && this.#entities.wants(reader)) await reader.look();
  }

  async #lookAtAll(): Promise<void> {
    for (const topic of this.#entities.wanted) if (!this.#stopped) await this.look(topic);
    this.#cancel = undefined;
    this.start();
  }
}
