// npm run bench:snssqs -- [--messages 2000] [--rounds 3]: CPU of this process for a message that is published, received and deleted, through the component and by the SDK alone. moto serves.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { SNS } from "@aws-sdk/client-sns";
import { SQS } from "@aws-sdk/client-sqs";
import { definition } from "../src/components/snssqs/index.ts";
import { systemClock } from "../src/pubsub/clock.ts";
import type { PubSubError } from "../src/pubsub/error.ts";
import type { Sink } from "../src/pubsub/subscription.ts";
import { awsAvailable, startAws } from "../test/brokers/aws.ts";
import { median } from "./measured.ts";

const { values } = parseArgs({ options: { messages: { type: "string", default: "2000" }, rounds: { type: "string", default: "3" } } });
const messages = Number(values.messages);
const DATA = Buffer.from("x".repeat(256));
/** Messages of a batch of AWS, and of a call of publish. */
const [TEN, CALL] = [10, 100];
const ACCOUNT = { region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };

const missing = awsAvailable();
if (missing) throw new Error(missing);
const server = await startAws();

/** Microseconds of CPU a message. */
async function cost(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / messages;
}

async function throughComponent(topic: string): Promise<number> {
  const context = { name: "bench", appId: "app1", process: "bench:1", dataDir: "", clock: systemClock };
  const metadata = { endpoint: server.url, region: ACCOUNT.region, accessKey: "test", secretKey: "test", createWait: 0 };
  const pubsub = definition.open(definition.options.parse({ ...metadata, requestTimeout: "30s" }), context);
  const done = Promise.withResolvers<void>();
  let received = 0;
  const sink: Sink = {
    deliver(batch) {
      for (const delivery of batch) delivery.ack();
      received += batch.length;
      if (received >= messages) done.resolve();
    },
    revoking: () => Promise.resolve(),
    lost: () => done.reject(new Error("a lease was lost")),
    interrupted: (error) => error && done.reject(error),
  };
  const signal = AbortSignal.timeout(300_000);
  const reader = await pubsub.subscribe({ topic, group: "bench", start: "latest", order: "none", options: {} }, sink);
  const used = await cost(async () => {
    reader.window(1_000, 16 * 2 ** 20);
    for (let sent = 0; sent < messages; sent += CALL) {
      await new Promise<void>((resolve, reject) => {
        let left = CALL;
        const told = (error?: PubSubError) => {
          if (error) reject(error);
          else if (--left === 0) resolve();
        };
        const one = { topic, data: DATA, attributes: { mykey: "value" }, done: told };
        pubsub.publish(Array(CALL).fill(one), signal);
      });
    }
    await done.promise;
    await reader.flush(signal);
  });
  await pubsub.close(signal);
  return used;
}

/** As few calls as can be: every batch is full, and one is under way at a time. */
async function bySdk(topic: string): Promise<number> {
  const sns = new SNS({ endpoint: server.url, ...ACCOUNT });
  const sqs = new SQS({ endpoint: server.url, ...ACCOUNT });
  const { TopicArn } = await sns.createTopic({ Name: topic });
  const { QueueUrl } = await sqs.createQueue({ QueueName: topic });
  const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["QueueArn"] });
  await sns.subscribe({ TopicArn, Protocol: "sqs", Endpoint: Attributes?.QueueArn, Attributes: { RawMessageDelivery: "true" } });
  const MessageAttributes = { layotto: { DataType: "String", StringValue: '{"id":"abcdefghijkl-1","attributes":{"mykey":"value"}}' } };
  const used = await cost(async () => {
    for (let sent = 0; sent < messages; sent += TEN) {
      const entries = Array.from({ length: TEN }, (_, id) => ({ Id: String(id), Message: DATA.toString(), MessageAttributes }));
      await sns.publishBatch({ TopicArn, PublishBatchRequestEntries: entries });
      const { Messages = [] } = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: TEN, MessageAttributeNames: ["All"] });
      const receipts = Messages.map(({ ReceiptHandle }, id) => ({ Id: String(id), ReceiptHandle }));
      await sqs.deleteMessageBatch({ QueueUrl, Entries: receipts });
    }
  });
  sns.destroy();
  sqs.destroy();
  return used;
}

const figures = { component: [] as number[], sdk: [] as number[] };
try {
  // The first round warms up.
  for (let round = 0; round <= Number(values.rounds); round++) {
    const component = await throughComponent(`component${round}`);
    const sdk = await bySdk(`sdk${round}`);
    if (round === 0) continue;
    figures.component.push(component);
    figures.sdk.push(sdk);
  }
  const shown = (list: readonly number[]) =>
    `${median(list).toFixed(0)} (${Math.min(...list).toFixed(0)} to ${Math.max(...list).toFixed(0)})`;
  console.log(
    `${cpus().length} cores, Node ${process.version}, ${messages} messages of 256 bytes, ${values.rounds} interleaved rounds, medians (least to most).\n`,
  );
  console.log("| | CPU a message, µs |\n|---|---|");
  console.log(`| the component | ${shown(figures.component)} |`);
  console.log(`| the SDK alone, full batches | ${shown(figures.sdk)} |`);
} finally {
  await server.stop();
}
