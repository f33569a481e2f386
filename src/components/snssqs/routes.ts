import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import { type Backoff, waitMs } from "../../resiliency/backoff.ts";
import type { Aws } from "./client.ts";
import type { Directory } from "./directory.ts";
import { isMissing } from "./errors.ts";

/** That a topic has a queue is believed so long. Spread: sidecars that started together must not ask together, of what AWS answers 30 times a second. */
const BELIEVED: Backoff = { firstMs: 60_000, mostMs: 60_000 };
/** And so long when SNS does not tell just then. */
const UNTOLD: Backoff = { firstMs: 10_000, mostMs: 10_000 };
/** And so long that it has none, or is not there: who publishes there in vain must not use up what AWS answers to all. */
const NONE: Backoff = { firstMs: 5_000, mostMs: 5_000 };

/** Which topics have a queue: SNS drops what no queue is subscribed to. */
export class Routes {
  readonly #directory: Directory;
  readonly #clock: Clock;
  /** Until when, by the monotonic clock, a topic is believed to have one. */
  readonly #until = new Map<string, number>();
  /** Those that have none, or are not there, and until when that is not asked again. */
  readonly #none = new Map<string, { readonly until: number; readonly error: PubSubError }>();

  constructor(directory: Directory, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  isBelieved(topic: string): boolean {
    return (this.#until.get(topic) ?? 0) > this.#clock.elapsed();
  }

  believe(topic: string, time = BELIEVED): void {
    this.#none.delete(topic);
    this.#until.set(topic, this.#after(time));
  }

  forget(topic: string): void {
    this.#until.delete(topic);
  }

  /** One that had a queue is believed a little longer, while it is asked. False: it had none, or was never asked. */
  believeOn(topic: string): boolean {
    if (!this.#until.has(topic)) return false;
    this.believe(topic, UNTOLD);
    return true;
  }

  /** Nobody gets what is published there: that is not asked again for a while. */
  remember(topic: string, error: PubSubError): void {
    this.forget(topic);
    this.#none.set(topic, { until: this.#after(NONE), error });
  }

  /** The topic is there: what is remembered may be that it was not. */
  found(topic: string): void {
    this.#none.delete(topic);
  }

  /** Throws what is remembered. */
  refuse(topic: string): void {
    const none = this.#none.get(topic);
    if (none && none.until > this.#clock.elapsed()) throw none.error;
  }

  /** Rejects when no queue would get what is published. */
  async check(aws: Aws, topic: string, topicArn: string): Promise<void> {
    this.refuse(topic);
    try {
      if (await this.#directory.hasQueue(aws, topicArn)) {
        this.believe(topic);
        return;
      }
    } catch (thrown) {
      const error = asPubSubError(thrown);
      // It had one, and nothing says that it has none now.
      if (this.#until.has(topic) && !isMissing(error) && !error.permanent) {
        this.believe(topic, UNTOLD);
        return;
      }
      this.forget(topic);
      throw error;
    }
    const what = `no queue is subscribed to the topic ${topic} (${topicArn}): SNS would drop the message`;
    const error = new PubSubError("failed_precondition", `${what}. Subscribe first, or set onUnroutable to accept`, { permanent: true });
    this.remember(topic, error);
    throw error;
  }

  #after(time: Backoff): number {
    return this.#clock.elapsed() + waitMs(time, 1, this.#clock.random());
  }
}
