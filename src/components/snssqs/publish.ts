import { abortError } from "../../pubsub/abort.ts";
import { behind } from "../../pubsub/behind.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Aws } from "./client.ts";
import type { SnsSqsOptions } from "./config.ts";
import type { Entities } from "./entities.ts";
import { attributesOf, deduplication, type Encoded, encode, messageGroup } from "./entry.ts";
import { entryError, isMissing } from "./errors.ts";
import { MOST_BYTES, MOST_ENTRIES } from "./limits.ts";

const DOING = "PublishBatch";
/** Publishing of one component. */
export class Publisher {
  readonly #aws: () => Promise<Aws>;
  readonly #entities: Entities;
  readonly #options: SnsSqsOptions;
  readonly #nextPosition: () => string;
  /** Those of messages that may be stored: tried again, they keep it, and so the de-duplication id that tells SNS. */
  readonly #unknown = new WeakMap<Outgoing, string>();

  constructor(aws: () => Promise<Aws>, entities: Entities, options: SnsSqsOptions, nextPosition: () => string) {
    this.#aws = aws;
    this.#entities = entities;
    this.#options = options;
    this.#nextPosition = nextPosition;
  }

  /** One call of `publish`: every topic on its own. */
  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    const topics = new Map<string, Encoded[]>();
    for (const message of batch) {
      const position = this.#unknown.get(message) ?? this.#nextPosition();
      const encoded = encode(message, position, this.#options.fifo ? this.#options.fifoMessageGroupID : undefined);
      const others = topics.get(message.topic);
      if (others) others.push(encoded);
      else topics.set(message.topic, [encoded]);
    }
    for (const [topic, messages] of topics) void this.#send(topic, messages, signal);
  }

  async #send(topic: string, messages: readonly Encoded[], signal: AbortSignal): Promise<void> {
    let arn: string;
    let aws: Aws;
    try {
      arn = this.#entities.ready(topic) ?? (await unlessAborted(this.#entities.publishable(topic), signal));
      aws = await this.#aws();
    } catch (error) {
      for (const one of messages) one.message.done(tooLarge(one) ?? notSent(asPubSubError(error)));
      return;
    }
    if (this.#options.fifo) {
      await this.#inOrder(aws, arn, messages, signal);
      return;
    }
    const fitting: Encoded[] = [];
    for (const one of messages) {
      const error = tooLarge(one);
      if (error) one.message.done(error);
      else fitting.push(one);
    }
    await Promise.all(batches(fitting).map((one) => this.#sendBatch(aws, arn, one, signal)));
  }

  /** A key has one message under way, so that none is stored behind one that failed. */
  async #inOrder(aws: Aws, arn: string, messages: readonly Encoded[], signal: AbortSignal): Promise<void> {
    const failed = new Map<string, PubSubError>();
    for (let rest = messages; rest.length > 0; ) {
      const keys = new Set<string>();
      const now: Encoded[] = [];
      const later: Encoded[] = [];
      for (const one of rest) {
        const group = messageGroup(one);
        const error = failed.get(group);
        const large = tooLarge(one);
        if (error) one.message.done(behind(error));
        else if (keys.has(group)) later.push(one);
        else if (large) {
          failed.set(group, large);
          one.message.done(large);
        } else now.push(one);
        keys.add(group);
      }
      const errors = await Promise.all(batches(now).map((one) => this.#sendBatch(aws, arn, one, signal)));
      for (const [one, error] of errors.flatMap((some) => [...some])) failed.set(messageGroup(one), error);
      rest = later;
    }
  }

  /** Returns what failed. */
  async #sendBatch(aws: Aws, arn: string, batch: readonly Encoded[], signal: AbortSignal): Promise<ReadonlyMap<Encoded, PubSubError>> {
    const errors = new Map<Encoded, PubSubError>();
    const fail = (one: Encoded, error: PubSubError) => {
      errors.set(one, error);
      if (error.outcome === "unknown") this.#unknown.set(one.message, one.position);
      one.message.done(error);
    };
    try {
      const { Successful = [], Failed = [] } = await aws.publish(arn, batch.map(this.#entry), signal);
      const stored = new Set(Successful.map(({ Id }) => Id));
      const refused = new Map(Failed.map((one) => [one.Id, one]));
      for (const [index, one] of batch.entries()) {
        const failure = refused.get(String(index));
        if (stored.has(String(index))) one.message.done(undefined, one.position);
        else if (failure) fail(one, entryError(DOING, failure.Code ?? "?", failure.Message ?? "", failure.SenderFault !== true));
        else fail(one, new PubSubError("unavailable", `${DOING}: no word about this message`, { outcome: "unknown" }));
      }
    } catch (thrown) {
      const error = asPubSubError(thrown);
      if (isMissing(error)) this.#entities.forget(batch[0]?.message.topic ?? "");
      for (const one of batch) fail(one, error);
    }
    return errors;
  }

  readonly #entry = (one: Encoded, index: number) => ({
    Id: String(index),
    Message: one.body,
    MessageAttributes: attributesOf(one),
    ...(this.#options.fifo && { MessageGroupId: messageGroup(one), MessageDeduplicationId: deduplication(one) }),
  });
}

function batches(messages: readonly Encoded[]): readonly (readonly Encoded[])[] {
  const all: Encoded[][] = [];
  let batch: Encoded[] = [];
  let bytes = 0;
  for (const one of messages) {
    if (batch.length === 0 || batch.length === MOST_ENTRIES || bytes + one.size > MOST_BYTES) {
      batch = [];
      bytes = 0;
      all.push(batch);
    }
    batch.push(one);
    bytes += one.size;
  }
  return all;
}

function tooLarge({ size }: Encoded): PubSubError | undefined {
  if (size <= MOST_BYTES) return undefined;
  const what = `the message has ${size} bytes with its attributes, as SNS counts them; the limit is ${MOST_BYTES}`;
  return new PubSubError("resource_exhausted", what, { permanent: true });
}

/** Whatever became of what was tried before: this message was not sent. */
function notSent(error: PubSubError): PubSubError {
  return error.outcome === "rejected" ? error : new PubSubError(error.code, error.message, { permanent: error.permanent });
}

/** Rejects as soon as `signal` aborts, while nothing was sent. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(abortError(DOING, signal, "rejected"));
    if (signal.aborted) aborted();
    signal.addEventListener("abort", aborted, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}
