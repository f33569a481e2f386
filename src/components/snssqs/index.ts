import { randomBytes } from "node:crypto";
import { within } from "../../pubsub/abort.ts";
import type { Admin } from "../../pubsub/admin.ts";
import type { Capabilities } from "../../pubsub/capabilities.ts";
import type { ComponentContext, ComponentDefinition } from "../../pubsub/component.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Finding, PubSub } from "../../pubsub/pubsub.ts";
import type { Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { adminOf } from "./admin.ts";
import type { Aws } from "./client.ts";
import { type SnsSqsOptions, snsSqsOptions } from "./config.ts";
import { Reader } from "./consume.ts";
import { Entities, type Queue } from "./entities.ts";
import { ping, unheeded } from "./inspect.ts";
import { MOST_BYTES } from "./limits.ts";
import { Lookout } from "./lookout.ts";
import { queueName } from "./names.ts";
import { Publisher } from "./publish.ts";

const HOUR_MS = 3_600_000;
/** The subscription's metadata: a queue to read instead of the group's own. */
const QUEUE_NAME = "queueName";

const capabilities: Capabilities = {
  ordering: "key",
  holdsKeys: true,
  orderedReplicas: "many",
  delayedRetry: "ordered",
  maxDelayMs: HOUR_MS,
  attempts: "deliveries",
  position: true,
  // Twelve hours from its receipt, the wait of a retry included.
  hold: 11 * HOUR_MS,
  keepsWithoutGroup: false,
  durable: true,
  retentionMs: 14 * 24 * HOUR_MS,
  headers: false,
  ttl: false,
  delay: false,
  replay: false,
  broadcast: false,
  backlog: true,
  browse: false,
  maxBatch: 100,
  maxBatchBytes: 10 * MOST_BYTES,
  // A dead letter of the largest message must have room for its reasons.
  maxBytes: MOST_BYTES - 4_096,
  publishPipeline: 8,
};

/** Queues that are not FIFO keep no order, and hold no key back. */
const standard: Capabilities = { ...capabilities, ordering: "none", holdsKeys: false, delayedRetry: "unordered" };

class SnsSqs implements PubSub {
  readonly admin: Admin;
  readonly #options: SnsSqsOptions;
  readonly #context: ComponentContext;
  readonly #entities: Entities;
  readonly #publisher: Publisher;
  readonly #readers = new Set<Reader>();
  readonly #lookout: Lookout;
  /** Positions are unique by this and a number: no other run of any process has the same. */
  readonly #run = randomBytes(9).toString("base64url");
  #capabilities: Capabilities;
  #last = 0;
  #client: Promise<Aws> | undefined;
  #closed = false;

  constructor(options: SnsSqsOptions, context: ComponentContext) {
    this.#capabilities = options.fifo ? capabilities : standard;
    this.#options = options;
    this.#context = context;
    this.#entities = new Entities(this.#aws, options, context.clock);
    this.#publisher = new Publisher(this.#aws, this.#entities, options, () => `${this.#run}-${(++this.#last).toString(36)}`);
    this.#lookout = new Lookout(this.#entities, this.#readers, context.clock);
    this.admin = adminOf(this.#aws, this.#entities, options, (topic, group) => {
      const { name } = queueName(topic, group, options.fifo);
      return [...this.#readers].filter((reader) => queueName(reader.topic, reader.group, options.fifo).name === name).length;
    });
  }

  /** Narrowed by the queues that are read. */
  get capabilities(): Capabilities {
    const retentionMs = this.#entities.retentionMs ?? this.#capabilities.retentionMs;
    if (retentionMs !== this.#capabilities.retentionMs) this.#capabilities = { ...this.#capabilities, retentionMs };
    return this.#capabilities;
  }

  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    if (!this.#closed && !signal.aborted) this.#publisher.publish(batch, signal);
    else for (const message of batch) message.done(new PubSubError("unavailable", "the publish was given up before it began"));
  }

  async subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    const aws = await this.#aws();
    const find = () => this.#queueOf(request);
    const queue = await find();
    this.#lookout.start();
    if (this.#closed) throw closed();
    const reader = new Reader(request, queue, sink, {
      aws,
      find,
      findAgain: async () => {
        this.#entities.forget(request.topic);
        const found = await find();
        // Other groups of the topic may be gone with it, and have no reader that finds out.
        void this.#lookout.look(request.topic);
        return found;
      },
      options: this.#options,
      clock: this.#context.clock,
      left: (one, error) => {
        this.#readers.delete(one);
        const isRead = [...this.#readers].some(({ topic, group }) => topic === one.topic && group === one.group);
        if (!error && !isRead) this.#entities.leave(one);
      },
    });
    this.#readers.add(reader);
    return reader;
  }

  async ensure(topic: string, groups: readonly SubscribeRequest[], signal: AbortSignal): Promise<void> {
    this.#lookout.start();
    await within(this.#entities.topic(topic), signal, "making a topic");
    for (const request of groups) await within(this.#queueOf(request), signal, "making a group");
  }

  async inspect(signal: AbortSignal): Promise<readonly Finding[]> {
    await ping(await this.#aws(), signal);
    await this.#entities.inspect(signal);
    // Who reads a queue that must not be read any more ends, with the remedy.
    for (const reader of this.#readers) if (!this.#entities.knows(reader)) void reader.look();
    return [...unheeded(this.#options), ...this.#entities.findings];
  }

  async ping(signal: AbortSignal): Promise<void> {
    await ping(await this.#aws(), signal);
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    this.#lookout.stop();
    // Whatever becomes of one: the others need the clients until they have settled.
    const readers = await Promise.allSettled([...this.#readers].map((reader) => reader.close(signal)));
    const client = this.#client;
    this.#client = undefined;
    if (client) (await client).close();
    for (const one of readers) if (one.status === "rejected") throw one.reason;
  }

  #queueOf(request: SubscribeRequest): Promise<Queue> {
    const name = request.options[QUEUE_NAME];
    return name ? this.#entities.named(name, request.order) : this.#entities.group(request);
  }

  /** The SDK is loaded, and its clients are made, on first use. */
  readonly #aws = async (): Promise<Aws> => {
    if (this.#closed) throw closed();
    this.#client ??= import("./client.ts").then(({ Aws }) => new Aws(this.#options, this.#context.name, this.#context.clock));
    return this.#client;
  };
}

const closed = () => new PubSubError("unavailable", "the component is closed", { permanent: true });

export const definition: ComponentDefinition<SnsSqsOptions> = {
  type: "snssqs",
  capabilities,
  options: snsSqsOptions,
  readingOf: ({ concurrencyMode, concurrencyLimit }) => {
    const most = concurrencyMode === "single" ? 1 : concurrencyLimit;
    return most > 0 ? { maxInFlight: most } : {};
  },
  orderingOf: ({ fifo }) => (fifo ? capabilities : standard).ordering,
  open: (options, context) => new SnsSqs(options, context),
};
