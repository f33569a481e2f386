// node bench/rocketmq.ts [MESSAGES]: what a message costs to send and to receive through RocketMQ's proxy: the component beside RocketMQ's own client
// for Node. CPU of this process alone; the broker has its own.
import { randomUUID } from "node:crypto";
import { Producer, SimpleConsumer } from "rocketmq-client-nodejs";
import { definition } from "../src/components/rocketmq/index.ts";
import { systemClock } from "../src/pubsub/clock.ts";
import type { Outgoing } from "../src/pubsub/outgoing.ts";
import type { PubSub } from "../src/pubsub/pubsub.ts";
import type { Sink } from "../src/pubsub/subscription.ts";
import { startRocketmq } from "../test/brokers/rocketmq.ts";

const MESSAGES = Number(process.argv[2] ?? 5_000);
const ROUNDS = 3;
const IN_FLIGHT = 64;
const data = Buffer.alloc(256, "x");
const nothing = (): void => undefined;
const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing, close: nothing, write: nothing };

const server = await startRocketmq();
const endpoints = `127.0.0.1:${server.port}`;
const context = { name: "bench", appId: "bench", process: `bench:${randomUUID()}`, dataDir: "", clock: systemClock };
const pubsub = definition.open(definition.options.parse({ endpoints, nameServer: `127.0.0.1:${server.nameServerPort}` }), context);
// biome-ignore lint/suspicious/noExplicitAny: it wants its own logger's type, of which it uses these.
const common = { endpoints, namespace: "", logger: quiet as any, requestTimeout: 30_000 };
try {
  await pubsub.ping(AbortSignal.timeout(60_000));
  const costs = new Map<string, number[]>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, cost] of [
      ["send, the component", await cpu(() => ourSends(pubsub, `ours-${round}`))],
      ["receive, the component", await cpu(() => ourReceives(pubsub, `ours-${round}`))],
      ["send, rocketmq-client-nodejs", await cpu(() => theirSends(`theirs-${round}`))],
      ["receive, rocketmq-client-nodejs", await cpu(() => theirReceives(`theirs-${round}`))],
    ] as const) {
      // The first round warms up.
      if (round > 0) costs.set(name, [...(costs.get(name) ?? []), cost]);
    }
  }
  for (const [name, each] of costs) {
    const sorted = each.toSorted((a, b) => a - b);
    const [least, middle, most] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map((one) => one?.toFixed(1));
    console.log(`| ${name} | ${middle} (${least} to ${most}) |`);
  }
} finally {
  await pubsub.close(AbortSignal.timeout(10_000));
  await server.stop();
}

/** Microseconds of this process's CPU a message. */
async function cpu(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / MESSAGES;
}

/** As the engine publishes: what arrives while a batch is under way goes out in the next one. */
async function ourSends(to: PubSub, topic: string): Promise<void> {
  await to.ensure(topic, [{ topic, group: "bench", start: "earliest", order: "none", options: {} }], AbortSignal.timeout(60_000));
  for (let sent = 0; sent < MESSAGES; sent += IN_FLIGHT) {
    await new Promise<void>((resolve, reject) => {
      let open = Math.min(IN_FLIGHT, MESSAGES - sent);
      const done = (error?: Error): void => {
        if (error) reject(error);
        else if (--open === 0) resolve();
      };
      const batch = Array.from({ length: open }, (): Outgoing => ({ topic, data, attributes: {}, done }));
      to.publish(batch, AbortSignal.timeout(60_000));
    });
  }
}

async function ourReceives(from: PubSub, topic: string): Promise<void> {
  const all = Promise.withResolvers<void>();
  let open = MESSAGES;
  const sink: Sink = {
    deliver(batch) {
      for (const delivery of batch) delivery.ack();
      open -= batch.length;
      if (open <= 0) all.resolve();
    },
    revoking: () => Promise.resolve(),
    lost: nothing,
    interrupted: nothing,
  };
  const subscription = await from.subscribe({ topic, group: "bench", start: "earliest", order: "none", options: {} }, sink);
  subscription.window(1_000, 16 * 2 ** 20);
  await all.promise;
  await subscription.close(AbortSignal.timeout(60_000));
}

async function theirSends(topic: string): Promise<void> {
  await pubsub.ensure(topic, [{ topic, group: "bench", start: "earliest", order: "none", options: {} }], AbortSignal.timeout(60_000));
  const producer = new Producer({ ...common, topics: [topic] });
  await producer.startup();
  let sent = 0;
  const one = async (): Promise<void> => {
    while (sent < MESSAGES) {
      sent += 1;
      await producer.send({ topic, body: data });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  await producer.shutdown();
}

async function theirReceives(topic: string): Promise<void> {
  const consumer = new SimpleConsumer({
    ...common,
    consumerGroup: "bench",
    subscriptions: new Map([[topic, "*"]]),
    awaitDuration: 5_000,
  });
  await consumer.startup();
  for (let got = 0; got < MESSAGES; ) {
    const messages = await consumer.receive(32, 60_000).catch(() => []);
    got += messages.length;
    await Promise.all(messages.map((message) => consumer.ack(message)));
  }
  await consumer.shutdown();
}
