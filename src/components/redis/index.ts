import type { Admin } from "../../pubsub/admin.ts";
import type { Capabilities } from "../../pubsub/capabilities.ts";
import type { ComponentContext, ComponentDefinition } from "../../pubsub/component.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Finding, PubSub } from "../../pubsub/pubsub.ts";
import type { Sink, SubscribeRequest, Subscription } from "../../pubsub/subscription.ts";
import { adminOf } from "./admin.ts";
import { keepGroup } from "./broadcast.ts";
import { Cluster } from "./cluster.ts";
import { type RedisOptions, redisOptions } from "./config.ts";
import { Reader } from "./consume.ts";
import { inspect } from "./inspect.ts";
import { CONSUMER_PREFIX } from "./member.ts";
import type { Node } from "./node.ts";
import { publish } from "./publish.ts";
import { join } from "./scripts.ts";
import { OneServer, type Servers } from "./servers.ts";
import { startId } from "./start.ts";
import { Trimming } from "./trimming.ts";

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
  replay: true,
  broadcast: true,
  backlog: true,
  browse: true,
  maxBatch: 1_000,
  maxBatchBytes: 4 * 2 ** 20,
  maxBytes: 500 * 2 ** 20,
  publishPipeline: 1,
  slowCalls: 64,
};

class RedisStreams implements PubSub {
  readonly capabilities = capabilities;
  readonly admin: Admin;
  readonly #options: RedisOptions;
  readonly #context: ComponentContext;
  readonly #servers: Servers;
  readonly #trimming: Trimming;
  readonly #readers = new Set<Reader>();
  #consumers = 0;
  #closed = false;

  constructor(options: RedisOptions, context: ComponentContext) {
    const { name, clock } = context;
    const [host = { host: "localhost", port: options.redisPort }] = options.hosts;
    this.#options = options;
    this.#context = context;
    this.#servers = options.redisType === "cluster" ? new Cluster(options, name, clock) : new OneServer(options, host, name, clock);
    this.#trimming = new Trimming(this.#servers, options, clock, (topic) => this.#groupsOf(topic));
    this.admin = adminOf(this.#servers);
    this.#servers.open();
  }

  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    publish(this.#servers, batch, signal, this.#options.waitReplicas);
  }

  async subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    if (this.#closed) throw closed();
    this.#consumers += 1;
    const reader = new Reader(request, `${CONSUMER_PREFIX}${this.#context.process}:${this.#consumers}`, sink, {
      servers: this.#servers,
      options: this.#options,
      clock: this.#context.clock,
      touched: (topic) => this.#trimming.touch(topic),
      left: (one) => this.#readers.delete(one),
    });
    await reader.open(request.start);
    this.#readers.add(reader);
    return reader;
  }

  async ensure(topic: string, groups: readonly SubscribeRequest[], signal: AbortSignal): Promise<void> {
    const node = await this.#reach(() => this.#servers.of(topic), signal);
    for (const { group, start, expiresAfterMs } of groups) {
      await join.run(node.write, [topic], group, startId(start));
      if (expiresAfterMs === undefined) continue;
      await keepGroup(node.write, topic, group, expiresAfterMs + this.#options.lease);
      this.#trimming.touch(topic);
    }
  }

  async inspect(signal: AbortSignal): Promise<readonly Finding[]> {
    return inspect(await this.#reachAll(signal), this.#options);
  }

  async ping(signal: AbortSignal): Promise<void> {
    await this.#reach(() => this.#any, signal);
    const pings = this.#up.map(({ read }) => read.call("ping"));
    // One that falls silent must not hide the others.
    await Promise.any(pings).catch(() => Promise.all(pings));
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    this.#trimming.close();
    try {
      await Promise.all([...this.#readers].map((reader) => reader.close(signal)));
    } finally {
      this.#servers.close();
    }
  }

  #groupsOf(topic: string): readonly string[] {
    return [...this.#readers].flatMap((reader) => (reader.topic === topic ? reader.group : []));
  }

  get #up(): readonly Node[] {
    return this.#servers.nodes.filter(({ up }) => up);
  }

  /** One that is up; else one whose connections are only beginning. */
  get #any(): Node | undefined {
    const { nodes } = this.#servers;
    return this.#up[0] ?? nodes.find(({ failed }) => !failed) ?? nodes[0];
  }

  /** Connections are made in the background; the first question waits for them as long as they are only beginning. */
  async #reach(which: () => Node | undefined, signal: AbortSignal): Promise<Node> {
    for (;;) {
      const node = which();
      if (node?.up) return node;
      const failed = node?.failed;
      if (this.#closed) throw closed();
      if (failed || signal.aborted) throw failed ?? node?.unavailable() ?? this.#servers.unavailable();
      await this.#servers.changes.next(signal);
    }
  }

  /** All that are up, once the connections of none are only beginning. Rejects when none is. */
  async #reachAll(signal: AbortSignal): Promise<readonly Node[]> {
    const one = await this.#reach(() => this.#any, signal);
    const begins = () => this.#servers.nodes.some(({ up, failed }) => !up && !failed);
    while (begins() && !signal.aborted && !this.#closed) await this.#servers.changes.next(signal);
    return this.#up.length > 0 ? this.#up : [one];
  }
}

const closed = () => new PubSubError("unavailable", "the component is closed", { permanent: true });

export const definition: ComponentDefinition<RedisOptions> = {
  type: "redis",
  capabilities,
  options: redisOptions,
  readingOf: ({ concurrency }) => (concurrency > 0 ? { maxInFlight: concurrency } : {}),
  open: (options, context) => new RedisStreams(options, context),
};
