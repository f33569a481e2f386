import { randomUUID } from "node:crypto";
import type { Delivery } from "../pubsub/delivery.ts";
import type { PubSubError } from "../pubsub/error.ts";
import type { Outgoing } from "../pubsub/outgoing.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { SubscribeRequest, Subscription } from "../pubsub/subscription.ts";
import { PATIENCE_MS } from "./arrivals.ts";
import type { Harness } from "./harness.ts";
import { Recorder } from "./recorder.ts";

/** A message as a behaviour writes it: text for its data is enough. */
export type Sent = string | (Partial<Omit<Outgoing, "done" | "data" | "topic">> & { readonly data: Uint8Array | string });

/** A reader that a behaviour opened, with the messages that it got. */
export interface Reading {
  readonly subscription: Subscription;
  readonly sink: Recorder;
}

/** What a behaviour works with. Everything that it opens here is closed in the end. */
export class Bench {
  readonly harness: Harness;
  /** How long to wait for what must come, in milliseconds. */
  readonly patienceMs: number;
  /** A name that nothing else uses. */
  readonly topic = `conformance-${randomUUID()}`;
  readonly #open: PubSub[] = [];
  readonly #endings: (() => Promise<void>)[] = [];

  constructor(harness: Harness) {
    this.harness = harness;
    this.patienceMs = harness.patienceMs ?? PATIENCE_MS;
  }

  /** Aborts when patience ends. */
  get patience(): AbortSignal {
    return AbortSignal.timeout(this.patienceMs);
  }

  /** A sink that is not a reader's own: shared by several, or for a reader that is not to be. */
  recorder(): Recorder {
    return new Recorder(this.patienceMs);
  }

  async open(): Promise<PubSub> {
    const pubsub = await this.harness.open();
    this.#open.push(pubsub);
    return pubsub;
  }

  /** Dies without a goodbye. */
  async crash(pubsub: PubSub): Promise<void> {
    if (!this.harness.crash) throw new Error("the harness has no crash(): give it one, or declare a gap");
    await this.harness.crash(pubsub);
  }

  /** The broker crashes and comes back, while it owes so many messages to the group. */
  async restart(messages: number): Promise<void> {
    if (!this.harness.restart) throw new Error("the harness has no restart(), which a durable broker needs: give it one, or declare a gap");
    await this.harness.restart({ topic: this.topic, group: this.request().group, messages });
  }

  /** Publishes to `topic`; resolves to the positions, rejects with the first error. */
  async publish(pubsub: PubSub, ...messages: readonly Sent[]): Promise<readonly (string | undefined)[]> {
    const results = await this.tryToPublish(pubsub, messages);
    for (const { error } of results) if (error) throw error;
    return results.map(({ position }) => position);
  }

  tryToPublish(
    pubsub: PubSub,
    messages: readonly Sent[],
    signal = this.patience,
  ): Promise<readonly { error: PubSubError | undefined; position: string | undefined }[]> {
    const done = messages.map(() => Promise.withResolvers<{ error: PubSubError | undefined; position: string | undefined }>());
    const batch = messages.map((sent, index): Outgoing => {
      const { data, ...more } = typeof sent === "string" ? { data: sent } : sent;
      return {
        topic: this.topic,
        attributes: {},
        ...more,
        data: typeof data === "string" ? Buffer.from(data) : data,
        done: (error, position) => done[index]?.resolve({ error, position }),
      };
    });
    pubsub.publish(batch, signal);
    return Promise.all(done.map(({ promise }) => promise));
  }

  /** The group is there before its first reader: a broker that keeps nothing without one keeps what is published from now on. */
  async ensure(pubsub: PubSub): Promise<void> {
    await pubsub.ensure(this.topic, [this.request()], this.patience);
  }

  request(change: Partial<SubscribeRequest> = {}): SubscribeRequest {
    return { topic: this.topic, group: "group1", start: "earliest", order: "none", options: {}, ...change };
  }

  /** Joins a group, its window open wide unless `messages` says otherwise. */
  async read(
    pubsub: PubSub,
    change: Partial<SubscribeRequest> & { messages?: number; bytes?: number } = {},
    sink: Recorder = this.recorder(),
  ): Promise<Reading> {
    const { messages = 1_000, bytes = 64 * 2 ** 20, ...request } = change;
    const subscription = await pubsub.subscribe(this.request(request), sink);
    subscription.window(messages, bytes);
    return { subscription, sink };
  }

  /** Resolves when all settlements of a reader stand. */
  async flush({ subscription }: Reading): Promise<void> {
    await this.ends(subscription.flush(this.patience), "flush");
  }

  async leave({ subscription }: Reading): Promise<void> {
    await this.ends(subscription.close(this.patience), "the subscription's close");
  }

  /** Ends a client as a component is closed in earnest. */
  async close(pubsub: PubSub): Promise<void> {
    await this.ends(pubsub.close(this.patience), "close");
  }

  /** What `work` comes to. Rejects when it does not end in time, so that a component that hangs fails here and not in the test's runner. */
  async ends<T>(work: Promise<T>, what: string): Promise<T> {
    const late = Promise.withResolvers<never>();
    // Somewhat longer than the signals that the work was given: it may say itself what it was waiting for.
    const timer = setTimeout(() => late.reject(new Error(`${what} did not end within ${this.patienceMs} ms`)), this.patienceMs + 100);
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What a reader gets until `last` arrives, without it. Publish `last` first: what was owed before must come before it, or with it. */
  async until(reading: Reading, last: string): Promise<readonly Delivery[]> {
    const before: Delivery[] = [];
    for (let one = await reading.sink.one(); textOf(one) !== last; one = await reading.sink.one()) before.push(one);
    return before;
  }

  /** `fn` runs when the behaviour is over, before the clients are closed. */
  onEnd(fn: () => Promise<void>): void {
    this.#endings.push(fn);
  }

  async closeAll(): Promise<void> {
    try {
      await Promise.all(this.#endings.map((end) => end()));
    } finally {
      await Promise.all(this.#open.map((pubsub) => this.close(pubsub)));
    }
  }
}

export function textOf({ data }: Pick<Delivery, "data">): string {
  return Buffer.from(data).toString();
}

export function textsOf(deliveries: readonly Delivery[]): readonly string[] {
  return deliveries.map(textOf).sort();
}
