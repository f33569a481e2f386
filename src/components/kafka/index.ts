import { within } from "../../pubsub/abort.ts";
import type { Admin } from "../../pubsub/admin.ts";
import type { Capabilities } from "../../pubsub/capabilities.ts";
import type { ComponentContext, ComponentDefinition } from "../../pubsub/component.ts";
import { asPubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Finding, PubSub } from "../../pubsub/pubsub.ts";
import type { Backlog, Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { adminOf } from "./admin.ts";
import { Cluster } from "./cluster.ts";
import { type KafkaOptions, kafkaOptions } from "./config.ts";
import { Reader } from "./consume.ts";
import { closedError } from "./errors.ts";
import { ensureGroup } from "./group.ts";
import { headersOf } from "./headers.ts";
import { inspect } from "./inspect.ts";
import { Publishing } from "./publish.ts";
import { SignIn } from "./sign-in.ts";

const MIB = 2 ** 20;
/** What a batch needs beside its messages. */
const BATCH_BYTES = 1_024;
const SUBSCRIBE_MS = 15_000;

const capabilities: Capabilities = {
  ordering: "topic",
  defaultOrder: "key",
  holdsKeys: false,
  orderedReplicas: "many",
  delayedRetry: "none",
  maxDelayMs: 0,
  attempts: "exact",
  position: true,
  hold: "partition",
  keepsWithoutGroup: true,
  durable: true,
  // Its own default, until it says otherwise.
  retentionMs: 7 * 86_400_000,
  headers: true,
  ttl: false,
  delay: false,
  replay: true,
  broadcast: false,
  backlog: true,
  browse: true,
  maxBatch: 1_000,
  maxBatchBytes: 1_000_000,
  maxBytes: 1_024 * MIB,
  publishPipeline: 1,
  slowCalls: 64,
  spreadsTopics: true,
};

/** It is asked again at the next look. */
function unknown(error: unknown): Partial<Backlog> {
  asPubSubError(error);
  return {};
}

class Kafka implements PubSub {
  readonly admin: Admin;
  #capabilities = capabilities;
  readonly #cluster: Cluster;
  readonly #publishing: Publishing;
  readonly #readers = new Set<Reader>();
  #lanes = 0;
  #closed = false;

  constructor(options: KafkaOptions, { appId, clock }: ComponentContext) {
    this.#cluster = new Cluster({ options, clientId: options.clientID || appId, clock, signIn: new SignIn(options, clock) });
    this.#publishing = new Publishing(this.#cluster);
    if (options.maxMessageBytes !== undefined) this.#capabilities = { ...capabilities, maxBytes: options.maxMessageBytes };
    this.admin = adminOf(this.#cluster, (topic, group) => this.#lent(topic, group), headersOf(options) ?? ((record) => record));
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    if (this.#closed) for (const message of batch) message.done(closedError());
    else this.#publishing.publish(batch, signal);
  }

  async subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    await this.#ensure(request, AbortSignal.timeout(SUBSCRIBE_MS));
    if (this.#closed) throw closedError();
    const reader = new Reader(this.#cluster, request, this.#lane(), sink, (left) => this.#readers.delete(left));
    this.#readers.add(reader);
    return reader;
  }

  async ensure(topic: string, groups: readonly SubscribeRequest[], signal: AbortSignal): Promise<void> {
    if (this.#closed) throw closedError();
    if (groups.length === 0) await within(this.#cluster.ensureTopic(topic, signal), signal, `the topic ${topic}`);
    for (const request of groups) await this.#ensure({ ...request, topic }, signal);
  }

  async inspect(signal: AbortSignal): Promise<readonly Finding[]> {
    const { findings, settings } = await within(inspect(this.#cluster, await this.#waiting(signal)), signal, "inspect");
    const { messageMaxBytes, retentionMs } = settings;
    const most = Math.max(BATCH_BYTES, (messageMaxBytes ?? Number.POSITIVE_INFINITY) - BATCH_BYTES);
    this.#capabilities = {
      ...this.#capabilities,
      retentionMs: retentionMs === Number.POSITIVE_INFINITY ? undefined : retentionMs,
      // The broker's own limit is the default of its topics: who names another one knows better, and the topic has the last word.
      maxBytes: this.#cluster.ground.options.maxMessageBytes ?? Math.min(capabilities.maxBytes, most),
      maxBatchBytes: Math.min(capabilities.maxBatchBytes, most),
    };
    return findings;
  }

  async ping(signal: AbortSignal): Promise<void> {
    if (this.#closed) throw closedError();
    await within(this.#cluster.refresh(), signal, "ping");
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    try {
      await Promise.all([...this.#readers].map((reader) => reader.close(signal)));
    } finally {
      this.#cluster.close();
    }
  }

  async #ensure(request: SubscribeRequest, signal: AbortSignal): Promise<void> {
    if (this.#closed) throw closedError();
    await within(
      ensureGroup(this.#cluster, request, `join:${this.#lane()}`, signal),
      signal,
      `the group ${request.group} of ${request.topic}`,
    );
  }

  /** A number that no other reader's connections have. */
  #lane(): number {
    this.#lanes += 1;
    return this.#lanes;
  }

  #lent(topic: string, group: string): number {
    return [...this.#readers].reduce((sum, one) => sum + (one.topic === topic && one.group === group ? one.lent : 0), 0);
  }

  /** By topic, the age of the oldest message that one of our groups has not settled; 0 when it is not known. */
  async #waiting(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const waiting = new Map<string, number>();
    const asked = [...this.#readers].map(async (reader) => {
      const { oldestMs = 0 } = await reader.backlog(signal).catch(unknown);
      waiting.set(reader.topic, Math.max(waiting.get(reader.topic) ?? 0, oldestMs));
    });
    await Promise.all(asked);
    return waiting;
  }
}

export const definition: ComponentDefinition<KafkaOptions> = {
  type: "kafka",
  capabilities,
  options: kafkaOptions,
  groupOf: ({ consumerGroup }) => consumerGroup,
  readingOf: ({ initialOffset }) => ({ start: initialOffset === "newest" ? "latest" : "earliest" }),
  open: (options, context) => new Kafka(options, context),
};
