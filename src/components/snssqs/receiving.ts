import { randomUUID } from "node:crypto";
import type { Message } from "@aws-sdk/client-sqs";
import type { Clock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { asPubSubError } from "../../pubsub/error.ts";
import { type Backoff, waitMs } from "../../resiliency/backoff.ts";
import type { Aws } from "./client.ts";

/** Calls under way at once, as long as each brings all that it may. */
const MOST_CALLS = 8;
const RETRY: Backoff = { firstMs: 100, mostMs: 2_000 };
/** So long a call for a few is put off, where most of the window is lent: each costs as much as one for ten. */
const GATHER_MS = 100;

/** What receiving needs of its reader. */
export interface Receiver {
  readonly clock: Clock;
  readonly aws: Aws;
  readonly queueUrl: string;
  readonly fifo: boolean;
  /** How many messages of the next call there is room for. */
  room(): number;
  /** So many are worth a call, if others are lent. */
  readonly enough: number;
  /** So many were asked for, and are on their way. */
  asked(count: number): void;
  /** The answer is there, whatever it is. */
  answered(count: number): void;
  /** `since`: when the call left. */
  received(messages: readonly Message[], since: number): void;
  /** The call failed. True: try again later. */
  failed(error: PubSubError): boolean;
}

/** Waits for messages: by one call while there are few, by more at once while calls come back full, or nearly so. */
export class Receiving {
  readonly #receiver: Receiver;
  readonly #ending = new AbortController();
  readonly #calls = new Set<Promise<void>>();
  #most = 1;
  #failures = 0;
  #waiting = false;
  #stopped = false;
  #cancelWait: () => void = () => undefined;
  /** There was room for a few for a while. */
  #gathered = false;
  #cancelGathering: (() => void) | undefined;

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
  }

  /** There may be room. */
  goOn(): void {
    while (!this.#stopped && !this.#waiting && this.#calls.size < this.#most) {
      const count = this.#receiver.room();
      if (count === 0) return;
      if (count < this.#receiver.enough && !this.#gathered) {
        this.#gather();
        return;
      }
      this.#gathered = false;
      const call = this.#call(count).finally(() => {
        this.#calls.delete(call);
        this.goOn();
      });
      this.#calls.add(call);
    }
  }

  /** No further call. Resolves when none is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelWait();
    this.#cancelGathering?.();
    await Promise.all(this.#calls);
  }

  /** What is under way is given up: what it may have brought stays with nobody until its lease is over. */
  abort(): void {
    this.#ending.abort();
  }

  async #call(count: number): Promise<void> {
    const { aws, clock, queueUrl } = this.#receiver;
    this.#receiver.asked(count);
    const since = clock.elapsed();
    let messages: readonly Message[];
    try {
      messages = await this.#receive(aws, queueUrl, count);
    } catch (thrown) {
      const error = asPubSubError(thrown);
      this.#most = 1;
      if (!this.#stopped && this.#receiver.failed(error)) this.#wait();
      return;
    } finally {
      this.#receiver.answered(count);
    }
    this.#failures = 0;
    // SQS may give less than it has.
    const busy = messages.length * 2 >= count;
    this.#most = busy ? Math.min(MOST_CALLS, this.#most * 2) : Math.ceil(this.#most / 2);
    this.#receiver.received(messages, since);
  }

  /** A FIFO queue holds back the keys of what it gave, if that did not arrive: it is asked for the same once more. */
  async #receive(aws: Aws, queueUrl: string, count: number): Promise<readonly Message[]> {
    const attempt = this.#receiver.fifo ? randomUUID() : undefined;
    try {
      return await aws.receive(queueUrl, count, this.#ending.signal, attempt);
    } catch (thrown) {
      const lost = asPubSubError(thrown).outcome === "unknown" && !this.#stopped && !this.#ending.signal.aborted;
      if (attempt === undefined || !lost) throw thrown;
      return aws.receive(queueUrl, count, this.#ending.signal, attempt);
    }
  }

  #gather(): void {
    this.#cancelGathering ??= this.#receiver.clock.after(GATHER_MS, () => {
      this.#cancelGathering = undefined;
      this.#gathered = true;
      this.goOn();
    });
  }

  #wait(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#failures += 1;
    const { clock } = this.#receiver;
    this.#cancelWait = clock.after(waitMs(RETRY, this.#failures, clock.random()), () => {
      this.#waiting = false;
      this.goOn();
    });
  }
}
