import type { Delivery } from "../pubsub/delivery.ts";
import type { PubSubError } from "../pubsub/error.ts";
import type { Sink } from "../pubsub/subscription.ts";
import { Arrivals } from "./arrivals.ts";

/** A sink that keeps what it is lent until the behaviour asks for it. */
export class Recorder implements Sink {
  readonly lostOnes: Delivery[] = [];
  /** What kept it from reading, or undefined where it went on, in the order in which it was told. */
  readonly interruptions: (PubSubError | undefined)[] = [];
  readonly #arrivals: Arrivals<Delivery>;

  constructor(patienceMs?: number) {
    this.#arrivals = new Arrivals((one) => `${one.position ?? "?"}:${Buffer.from(one.data.subarray(0, 40))}`, patienceMs);
  }

  /** Everything that was ever delivered. */
  get seen(): readonly Delivery[] {
    return this.#arrivals.all;
  }

  deliver(batch: readonly Delivery[]): void {
    this.#arrivals.add(...batch);
  }

  revoking(_batch: readonly Delivery[], _deadline: AbortSignal): Promise<void> {
    return Promise.resolve();
  }

  lost(batch: readonly Delivery[], _error: PubSubError): void {
    this.lostOnes.push(...batch);
  }

  interrupted(error?: PubSubError): void {
    this.interruptions.push(error);
  }

  /** The next `count` deliveries. Rejects, saying what came, when they do not come in time. */
  next(count: number): Promise<readonly Delivery[]> {
    return this.#arrivals.next(count);
  }

  /** The next delivery. */
  async one(): Promise<Delivery> {
    const [delivery] = await this.next(1);
    if (!delivery) throw new Error("no delivery");
    return delivery;
  }
}
