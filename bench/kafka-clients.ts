// node bench/kafka-clients.ts: what a message costs with our own words on the wire, and with the clients that there are, where they are installed
// (npm install --no-save @platformatic/kafka kafkajs). Each measurement is a process of its own; the rounds are interleaved.
import { execFile } from "node:child_process";
import { setTimeout as passes } from "node:timers/promises";
import { promisify } from "node:util";
import { definition } from "../src/components/kafka/index.ts";
import { systemClock } from "../src/pubsub/clock.ts";
import type { Delivery } from "../src/pubsub/delivery.ts";
import type { PubSub } from "../src/pubsub/pubsub.ts";
import { kafkaAvailable, startKafka } from "../test/brokers/kafka.ts";

const run = promisify(execFile);

const MESSAGES = 20_000;
const WARM = 5_000;
const BATCH = 64;
const ROUNDS = 3;
const PAYLOAD = Buffer.alloc(256, "x");

interface Client {
  /** Publishes so many messages, a batch after the other, each acknowledged by all replicas. */
  produce(count: number): Promise<void>;
  /** Reads so many messages in a group of its own, and commits. */
  consume(count: number): Promise<void>;
  close(): Promise<void>;
}

const CLIENTS: Readonly<Record<string, (broker: string, topic: string) => Promise<Client>>> = {
  async ours(broker, topic) {
    const pubsub = open(broker);
    await pubsub.ping(AbortSignal.timeout(10_000));
    const send = () =>
      new Promise<void>((resolve, reject) => {
        let left = BATCH;
        const done = (error?: Error) => {
          if (error) reject(error);
          left -= 1;
          if (left === 0) resolve();
        };
        const batch = Array.from({ length: BATCH }, () => ({ topic, data: PAYLOAD, attributes: {}, done }));
        pubsub.publish(batch, AbortSignal.timeout(10_000));
      });
    return {
      async produce(count) {
        for (let sent = 0; sent < count; sent += BATCH) await send();
      },
      consume: (count) =>
        new Promise((resolve, reject) => {
          let left = count;
          const deliver = (batch: readonly Delivery[]) => {
            for (const one of batch) one.ack();
            left -= batch.length;
            if (left <= 0) resolve();
          };
          const sink = { deliver, revoking: () => Promise.resolve(), lost: () => undefined, interrupted: () => undefined };
          const request = { topic, group: `g${process.pid}`, start: "earliest", order: "none", options: {} } as const;
          pubsub.subscribe(request, sink).then((reader) => reader.window(1_000, 16 * 2 ** 20), reject);
        }),
      close: () => pubsub.close(AbortSignal.timeout(5_000)),
    };
  },
  async platformatic(broker, topic) {
    const { Producer, Consumer, stringSerializers } = await theirs("@platformatic/kafka");
    const common = { clientId: "bench", bootstrapBrokers: [broker] };
    const producer = new Producer({ ...common, serializers: { ...stringSerializers, value: (one: Buffer) => one } });
    const consumer = new Consumer({ ...common, groupId: `g${process.pid}` });
    return {
      async produce(count) {
        for (let sent = 0; sent < count; sent += BATCH) {
          await producer.send({ acks: -1, messages: Array.from({ length: BATCH }, () => ({ topic, value: PAYLOAD })) });
        }
      },
      async consume(count) {
        const stream = await consumer.consume({ topics: [topic], mode: "earliest", autocommit: 100 });
        let left = count;
        for await (const _ of stream) if (--left === 0) break;
      },
      async close() {
        await Promise.all([producer.close(), consumer.close(true)]);
      },
    };
  },
  async kafkajs(broker, topic) {
    const { Kafka, logLevel } = await theirs("kafkajs");
    const kafka = new Kafka({ clientId: "bench", brokers: [broker], logLevel: logLevel.NOTHING });
    const [producer, consumer] = [kafka.producer(), kafka.consumer({ groupId: `g${process.pid}` })];
    await producer.connect();
    return {
      async produce(count) {
        for (let sent = 0; sent < count; sent += BATCH) {
          await producer.send({ topic, acks: -1, messages: Array.from({ length: BATCH }, () => ({ value: PAYLOAD })) });
        }
      },
      async consume(count) {
        await consumer.connect();
        await consumer.subscribe({ topics: [topic], fromBeginning: true });
        const all = Promise.withResolvers<void>();
        let left = count;
        const eachBatch = async ({ batch }: { batch: { messages: readonly unknown[] } }) => {
          left -= batch.messages.length;
          if (left <= 0) all.resolve();
        };
        await consumer.run({ autoCommitInterval: 100, eachBatch });
        await all.promise;
      },
      async close() {
        await Promise.all([producer.disconnect(), consumer.disconnect()]);
      },
    };
  },
};

function open(brokers: string): PubSub {
  const context = { name: "bench", appId: "bench", process: `bench:${process.pid}`, dataDir: "", clock: systemClock };
  return definition.open(definition.options.parse({ brokers }), context);
}

/** Installed by hand, so nobody else has to. */
// biome-ignore lint/suspicious/noExplicitAny: its types are there only when it is.
function theirs(name: string): Promise<any> {
  return import(name);
}

interface Measured {
  readonly produceUs: number;
  readonly consumeUs: number;
  readonly loadMs: number;
  readonly loadMiB: number;
}

/** In the measuring process: what one client costs. */
async function measure(name: string, broker: string): Promise<Measured> {
  const before = { at: performance.now(), rss: process.memoryUsage.rss() };
  if (name === "platformatic") await theirs("@platformatic/kafka");
  else if (name === "kafkajs") await theirs("kafkajs");
  const loadMs = performance.now() - before.at;
  const loadMiB = (process.memoryUsage.rss() - before.rss) / 2 ** 20;
  const topic = `bench-${name}-${process.pid}`;
  await create(broker, topic);
  const client = await CLIENTS[name]?.(broker, topic);
  if (!client) throw new Error(`there is no client ${name}`);
  await client.produce(WARM);
  const produceUs = await cpuUs(() => client.produce(MESSAGES));
  const consumeUs = await cpuUs(() => client.consume(WARM + MESSAGES), WARM + MESSAGES);
  await Promise.race([client.close(), passes(3_000)]);
  return { produceUs, consumeUs, loadMs, loadMiB };
}

async function create(broker: string, topic: string): Promise<void> {
  const pubsub = open(broker);
  await pubsub.ensure(topic, [], AbortSignal.timeout(10_000));
  await pubsub.close(AbortSignal.timeout(5_000));
}

async function cpuUs(work: () => Promise<void>, count = MESSAGES): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

function median(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  return `${sorted[sorted.length >> 1]?.toFixed(1)} (${sorted[0]?.toFixed(1)} to ${sorted.at(-1)?.toFixed(1)})`;
}

const [name, broker] = process.argv.slice(2);
if (name && broker) {
  console.log(JSON.stringify(await measure(name, broker)));
  process.exit(0);
}
const missing = kafkaAvailable();
if (missing !== undefined) throw new Error(missing);
const kafka = await startKafka({ quick: false });
const results = new Map<string, Measured[]>();
try {
  for (let round = 0; round < ROUNDS; round++) {
    for (const client of Object.keys(CLIENTS)) {
      const measured = await run(process.execPath, [import.meta.filename, client, `127.0.0.1:${kafka.port}`]).catch(
        (error: Error) => error,
      );
      if (measured instanceof Error)
        console.error(`${client}: ${measured.message.split("\n").find((line) => line.includes("Error")) ?? measured.message}`);
      else results.set(client, [...(results.get(client) ?? []), JSON.parse(measured.stdout) as Measured]);
    }
  }
} finally {
  await kafka.stop();
}
console.log("| client | produce, CPU µs a message | consume | to load it, ms | MiB |\n|---|---|---|---|---|");
for (const [client, list] of results) {
  const columns = (["produceUs", "consumeUs", "loadMs", "loadMiB"] as const).map((what) => median(list.map((one) => one[what])));
  console.log(`| ${client} | ${columns.join(" | ")} |`);
}
