import type { Admin } from "../../pubsub/admin.ts";
import type { Capabilities } from "../../pubsub/capabilities.ts";
import type { ComponentContext, ComponentDefinition } from "../../pubsub/component.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Finding, PubSub } from "../../pubsub/pubsub.ts";
import type { Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { adminOf } from "./admin.ts";
import { Broker } from "./broker.ts";
import { type Options, options } from "./config.ts";
import { Reader } from "./consume.ts";
import { publish } from "./publish.ts";

const capabilities: Capabilities = {
  ordering: "key",
  holdsKeys: true,
  orderedReplicas: "many",
  delayedRetry: "ordered",
  maxDelayMs: 2 ** 31 - 1,
  attempts: "exact",
  position: true,
  hold: Number.POSITIVE_INFINITY,
  keepsWithoutGroup: true,
  durable: false,
  retentionMs: undefined,
  headers: true,
  ttl: true,
  delay: true,
  replay: true,
  broadcast: true,
  backlog: true,
  browse: true,
  maxBatch: 1_000,
  maxBatchBytes: 16 * 2 ** 20,
  maxBytes: 4 * 2 ** 20,
  publishPipeline: 1,
};

/** Brokers that components of this process share by name. They live as long as the process. */
const shared = new Map<string, Broker>();

function brokerOf({ broker: name, maxBytes }: Options, context: ComponentContext): Broker {
  if (name === undefined) return new Broker(context.clock, maxBytes);
  const broker = shared.get(name) ?? new Broker(context.clock, maxBytes);
  shared.set(name, broker);
  return broker;
}

class InMemory implements PubSub {
  readonly capabilities = capabilities;
  readonly admin: Admin;
  readonly #broker: Broker;
  readonly #readers = new Set<Reader>();
  #closed = false;

  constructor(broker: Broker) {
    this.#broker = broker;
    this.admin = adminOf(broker);
  }

  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    const copy = [...batch];
    queueMicrotask(() => {
      if (!this.#closed && !signal.aborted) publish(this.#broker, copy);
      else for (const message of copy) message.done(new PubSubError("unavailable", "the publish was given up before it began"));
    });
  }

  async subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    this.#open();
    const reader = new Reader(
      this.#broker.topic(request.topic).group(request),
      sink,
      (message) => this.#store(message),
      (left) => this.#readers.delete(left),
    );
    this.#readers.add(reader);
    return reader;
  }

  async ensure(topic: string, groups: readonly SubscribeRequest[]): Promise<void> {
    this.#open();
    for (const request of groups) this.#broker.topic(topic).group(request);
  }

  async inspect(): Promise<readonly Finding[]> {
    this.#open();
    return [
      {
        level: "warn",
        id: "in-memory.volatile",
        found: "Messages are kept in memory and are lost when the process ends.",
        remedy: "Use it for tests and demonstrations; the type embedded keeps messages in a file.",
      },
    ];
  }

  async ping(): Promise<void> {
    this.#open();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#readers].map((reader) => reader.close()));
  }

  #open(): void {
    if (this.#closed) throw new PubSubError("unavailable", "the component is closed", { permanent: true });
  }

  #store(message: Outgoing): PubSubError | undefined {
    const stored = this.#broker.store(message);
    if (stored instanceof PubSubError) return stored;
    message.done(undefined, String(stored.position));
    return undefined;
  }
}

export const definition: ComponentDefinition<Options> = {
  type: "in-memory",
  capabilities,
  options,
  open: (given, context) => new InMemory(brokerOf(given, context)),
};
