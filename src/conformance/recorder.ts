import type { Delivery } from "../pubsub/delivery.ts";
import type { PubSubError } from "../pubsub/error.ts";
import type { Sink } from "../pubsub/subscription.ts";

/** Long enough for any broker, short enough to fail within a test's patience. */
const PATIENCE_MS = 15_000;

/** A sink that keeps what it is lent until the behaviour asks for it. */
export class Recorder implements Sink {
  /** Everything that was ever delivered. */
  readonly seen: Delivery[] = [];
  readonly lostOnes: Delivery[] = [];
  #taken = 0;
  #wake: () => void = () => undefined;

  deliver(batch: readonly Delivery[]): void {
    this.seen.push(...batch);
    this.#wake();
  }

  revoking(): Promise<void> {
    return Promise.resolve();
  }

  lost(batch: readonly Delivery[], _error: PubSubError): void {
    this.lostOnes.push(...batch);
  }

  interrupted(): void {
    // A reader that is cut off and returns shows in what it delivers.
  }

  /** The next `count` deliveries. Rejects, saying what came, when they do not come in time. */
  async next(count: number): Promise<readonly Delivery[]> {
    const from = this.#taken;
    await this.#until(() => this.seen.length >= from + count, `${count} more deliveries`);
    this.#taken = from + count;
    return this.seen.slice(from, this.#taken);
  }

  /** The next delivery. */
  async one(): Promise<Delivery> {
    const [delivery] = await this.next(1);
    if (!delivery) throw new Error("no delivery");
    return delivery;
  }

  #until(done: () => boolean, what: string): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const came = this.seen.map((one) => `${one.position ?? "?"}:${Buffer.from(one.data.subarray(0, 40))}`).join(", ");
        reject(new Error(`waited ${PATIENCE_MS} ms for ${what}; so far came [${came}]`));
      }, PATIENCE_MS);
      this.#wake = () => {
        if (!done()) return;
        clearTimeout(timer);
        this.#wake = () => undefined;
        resolve();
      };
    });
  }
}
