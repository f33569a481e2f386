import type { Message } from "@aws-sdk/client-sqs";
import { Recorder } from "../../conformance/recorder.ts";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import type { SubscribeRequest } from "../../pubsub/subscription.ts";
import type { Aws } from "./client.ts";
import { snsSqsOptions } from "./config.ts";
import { Reader } from "./consume.ts";
import type { Queue } from "./entities.ts";

const REQUEST: SubscribeRequest = { topic: "t", group: "g", start: "earliest", order: "none", options: {} };
const QUEUE: Queue = { url: "https://sqs/q", arn: "arn:aws:sqs:us-east-1:123456789012:q", raw: true };
const PATIENCE_MS = 5_000;

type Entries = Parameters<Aws["changeVisibility"]>[1];

/** One call of the reader's, which the test answers. */
export interface Call<Asked, Answer> {
  readonly asked: Asked;
  answer(answer: Answer): void;
  fail(error: Error): void;
}

/** Calls in the order in which they were made; the test waits for the next one. */
class Calls<Asked, Answer> {
  readonly #made: Call<Asked, Answer>[] = [];
  readonly #waiting: ((call: Call<Asked, Answer>) => void)[] = [];

  /** Those that the test has not taken. */
  get untaken(): number {
    return this.#made.length;
  }

  make(asked: Asked): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const call = { asked, answer: resolve, fail: reject };
    const waiting = this.#waiting.shift();
    if (waiting) waiting(call);
    else this.#made.push(call);
    return promise;
  }

  next(): Promise<Call<Asked, Answer>> {
    const made = this.#made.shift();
    return made ? Promise.resolve(made) : new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** A clock whose timers may come late. */
class LateClock extends SteppedClock {
  #stoodStill = 0;

  override elapsed(): number {
    return super.elapsed() + this.#stoodStill;
  }

  /** The process stands still: what waits to be read comes before the timers. */
  standStill(ms: number): void {
    this.#stoodStill += ms;
  }
}

/** A reader whose SQS and time are the test's. */
export class PlayedReader {
  readonly clock = new LateClock();
  readonly sink = new Recorder(PATIENCE_MS);
  /** The ids of the receives. */
  readonly attempts: (string | undefined)[] = [];
  readonly receives = new Calls<number, readonly Message[]>();
  readonly deletes = new Calls<Entries, Partial<Awaited<ReturnType<Aws["delete"]>>>>();
  readonly changes = new Calls<Entries, Partial<Awaited<ReturnType<Aws["changeVisibility"]>>>>();
  /** What the queue says of itself. */
  readonly counts: Record<string, string> = {};
  readonly reader: Reader;

  constructor(metadata: Readonly<Record<string, unknown>> = {}, find = () => Promise.resolve(QUEUE)) {
    const aws = {
      receive: (_: string, most: number, __: AbortSignal, attempt?: string) => {
        this.attempts.push(attempt);
        return this.receives.make(most);
      },
      delete: (_: string, entries: Entries) => this.deletes.make(entries),
      changeVisibility: (_: string, entries: Entries) => this.changes.make(entries),
      call: (_: string, send: (options: object) => unknown) => Promise.resolve(send({})),
      sqs: { getQueueAttributes: () => ({ Attributes: this.counts }) },
    };
    this.reader = new Reader(REQUEST, QUEUE, this.sink, {
      aws: aws as unknown as Aws,
      find,
      findAgain: find,
      options: snsSqsOptions.parse(metadata),
      clock: this.clock,
      left: () => undefined,
    });
    this.reader.window(1_000, 64 * 2 ** 20);
  }
}

/** `key`: its message group. */
export function message(id: string, key?: string): Message {
  return { MessageId: id, ReceiptHandle: `receipt of ${id}`, Body: id, ...(key !== undefined && { Attributes: { MessageGroupId: key } }) };
}
