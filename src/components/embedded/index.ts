import type { Admin } from "../../pubsub/admin.ts";
import type { Capabilities } from "../../pubsub/capabilities.ts";
import type { ComponentDefinition } from "../../pubsub/component.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Finding, PubSub } from "../../pubsub/pubsub.ts";
import type { Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { type Options, options, storeSettings, WEEK_MS } from "./config.ts";
import { Reader } from "./consume.ts";
import { Link } from "./link.ts";
import type { GroupSpec } from "./protocol.ts";
import { Publish } from "./publish.ts";
import { MAX_DELAY_MS } from "./store/redelivery.ts";

const capabilities: Capabilities = {
  ordering: "topic",
  holdsKeys: false,
  orderedReplicas: "one",
  delayedRetry: "unordered",
  maxDelayMs: MAX_DELAY_MS,
  attempts: "exact",
  position: true,
  hold: Number.POSITIVE_INFINITY,
  keepsWithoutGroup: true,
  ungroupedRetentionMs: WEEK_MS,
  durable: true,
  retentionMs: undefined,
  headers: true,
  ttl: true,
  delay: true,
  replay: true,
  broadcast: true,
  backlog: true,
  browse: true,
  maxBatch: 1_000,
  maxBatchBytes: 4 * 2 ** 20,
  maxBytes: 64 * 2 ** 20,
  publishPipeline: 1,
};

/** What a link reaches, as a component. */
export class Embedded implements PubSub {
  readonly capabilities: Capabilities;
  readonly admin: Admin;
  readonly #link: Link;
  readonly #readers = new Set<Reader>();
  #closing: Promise<void> | undefined;

  constructor(link: Link, retentionMs = WEEK_MS) {
    this.#link = link;
    this.capabilities = { ...capabilities, ungroupedRetentionMs: retentionMs };
    this.admin = {
      topics: (pattern) => this.#ask("topics", { pattern }),
      groups: (topic) => this.#ask("groups", { topic }),
      deleteGroup: (topic, group) => this.#ask("deleteGroup", { topic, group }),
      seek: (topic, group, to) => this.#ask("seek", { topic, group, to }),
      browse: (topic, after, limit) => this.#ask("browse", { topic, after, limit }),
      remove: (topic, positions) => this.#ask("remove", { topic, positions }),
    };
  }

  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    if (!this.#closing) this.#link.publish(new Publish([...batch], signal));
    else for (const message of batch) message.done(closed());
  }

  async subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    const { topic, order } = request;
    const id = this.#link.newReader();
    await this.#ask("subscribe", { reader: id, topic, group: specOf(request), order });
    const reader = new Reader(this.#link, id, topic, order, sink, (left) => this.#readers.delete(left));
    this.#readers.add(reader);
    return reader;
  }

  ensure(topic: string, groups: readonly SubscribeRequest[], signal: AbortSignal): Promise<void> {
    return this.#ask("ensure", { topic, groups: groups.map(specOf) }, signal);
  }

  inspect(signal: AbortSignal): Promise<readonly Finding[]> {
    return this.#ask("inspect", {}, signal);
  }

  ping(signal: AbortSignal): Promise<void> {
    return this.#ask("ping", {}, signal);
  }

  close(signal: AbortSignal): Promise<void> {
    this.#closing ??= this.#close(signal);
    return this.#closing;
  }

  async #close(signal: AbortSignal): Promise<void> {
    try {
      const left = await Promise.allSettled([...this.#readers].map((reader) => reader.close(signal)));
      await this.#link.ask("close", {}, signal);
      for (const one of left) if (one.status === "rejected") throw one.reason;
    } finally {
      await this.#link.end();
    }
  }

  #ask: Link["ask"] = (kind, what, signal) => (this.#closing ? Promise.reject(closed()) : this.#link.ask(kind, what, signal));
}

const closed = () => new PubSubError("unavailable", "the component is closed", { permanent: true });

function specOf({ group, start, expiresAfterMs }: SubscribeRequest): GroupSpec {
  return { group, start, expiresAfterMs: expiresAfterMs ?? null };
}

export const definition: ComponentDefinition<Options> = {
  type: "embedded",
  capabilities,
  options,
  open: (given, context) => new Embedded(new Link(storeSettings(given, context), context.clock), given.retention),
};
