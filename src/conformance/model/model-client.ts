import type { Capabilities } from "../../pubsub/capabilities.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import type { Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import type { ModelBroker } from "./model-broker.ts";
import { ModelReader } from "./model-reader.ts";

const capabilities: Capabilities = {
  ordering: "topic",
  holdsKeys: false,
  orderedReplicas: "one",
  delayedRetry: "none",
  maxDelayMs: 0,
  attempts: "exact",
  position: true,
  hold: Number.POSITIVE_INFINITY,
  keepsWithoutGroup: true,
  durable: true,
  retentionMs: undefined,
  headers: true,
  ttl: false,
  delay: false,
  replay: false,
  broadcast: false,
  backlog: true,
  browse: false,
  maxBatch: 10,
  maxBatchBytes: 2 ** 20,
  maxBytes: 2 ** 20,
  publishPipeline: 1,
};

/** One sidecar's connection. */
export class ModelClient implements PubSub {
  readonly capabilities = capabilities;
  readonly broker: ModelBroker;
  readonly readers = new Set<ModelReader>();
  dead = false;
  /** The process stands still (SIGSTOP). */
  frozen = false;

  constructor(broker: ModelBroker) {
    this.broker = broker;
  }

  publish(batch: readonly Outgoing[]): void {
    this.broker.ask({
      client: this,
      arrives: () => {
        const positions = batch.map((message) => this.broker.store(message));
        return () => {
          for (const [index, message] of batch.entries()) message.done(undefined, String(positions[index]));
        };
      },
      lost: () => {
        for (const message of batch) message.done(new PubSubError("unavailable", "the reply was lost", { outcome: "unknown" }));
      },
    });
  }

  subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    const reader = new ModelReader(this, request, sink);
    this.readers.add(reader);
    return Promise.resolve(reader);
  }

  ensure(topic: string, groups: readonly SubscribeRequest[]): Promise<void> {
    for (const { group } of groups) this.broker.group({ topic, group });
    return Promise.resolve();
  }

  inspect(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  ping(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** What a component does by itself: gives sign of life, and reads. A read whose reply is lost leaves messages pending with us. */
  turn(replyLost: boolean): void {
    if (this.dead || this.frozen) return;
    for (const reader of [...this.readers]) {
      reader.renew();
      reader.read(replyLost);
    }
  }
}
