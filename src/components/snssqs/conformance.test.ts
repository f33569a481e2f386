import { randomUUID } from "node:crypto";
import { CreateTopicCommand, PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { afterAll, beforeAll, describe, test, vi } from "vitest";
import { type AwsServer, startAws } from "../../../test/brokers/aws.ts";
import { TcpProxy } from "../../../test/brokers/proxy.ts";
import { withAws } from "../../../test/brokers/with.ts";
import { conformance, type Gap, type Harness } from "../../conformance/index.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { definition } from "./index.ts";
import { topicName } from "./names.ts";

const LEASE_S = 4;
const START_MS = 300_000;
/** moto works on one request at a time. */
const PATIENCE_MS = 45_000;

const GAPS: readonly Gap[] = [
  { behaviour: "messages and groups outlive a crash of the broker", why: "moto keeps all in memory; SNS and SQS do not" },
  { behaviour: "bytes arrive as they were sent: every value, none, four million", why: "SNS takes 256 KiB" },
  { behaviour: "a message that is moved stands at its target, and never comes again", why: "SQS cannot publish and delete in one step" },
];

const FIFO_GAPS: readonly Gap[] = [
  {
    behaviour: "with the order of the topic, all its messages come one after the other, whatever their keys",
    why: "a FIFO queue keeps the order of each message group; the engine refuses order: topic",
  },
];

vi.setConfig({ maxConcurrency: 3 });

withAws("snssqs", () => {
  let server: AwsServer;
  let proxy: TcpProxy;
  beforeAll(async () => {
    server = await startAws();
    proxy = await TcpProxy.start(server.port);
  }, START_MS);
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });

  for (const fifo of [false, true]) {
    const harness: Harness = {
      name: definition.type,
      capabilities: open("http://localhost", fifo).capabilities,
      leaseMs: LEASE_S * 1_000,
      gaps: fifo ? [...GAPS, ...FIFO_GAPS] : GAPS,
      patienceMs: PATIENCE_MS,
      open: () => Promise.resolve(open(server.url, fifo)),
      crash: (pubsub) => pubsub.close(AbortSignal.abort()).catch(() => undefined),
      foreign: (topic) => foreign(server.url, topic, fifo),
    };
    const checks = conformance(harness);
    describe.concurrent(fifo ? "FIFO" : "standard", () => {
      for (const { name, run } of checks) test(name, run, 2 * PATIENCE_MS);
    });

    // One at a time: all clients of the proxy feel it.
    describe(fifo ? "FIFO, when it is away" : "standard, when it is away", () => {
      const away = conformance({
        ...harness,
        open: () => Promise.resolve(open(`http://127.0.0.1:${proxy.port}`, fifo)),
        outage: async () => {
          await proxy.refuse();
          return () => proxy.forward();
        },
      });
      const others = new Set(checks.map(({ name }) => name));
      for (const { name, run } of away.filter((one) => !others.has(one.name))) test(name, run, 2 * PATIENCE_MS);
    });
  }
});

/** As another sidecar. */
function open(endpoint: string, fifo: boolean): PubSub {
  const context = { name: "test", appId: "app1", process: `host:${randomUUID()}`, dataDir: "", clock: systemClock };
  const times = { messageVisibilityTimeout: LEASE_S, messageWaitTimeSeconds: 1, createWait: 0, requestTimeout: "30s" };
  const account = { region: "us-east-1", accessKey: "test", secretKey: "test" };
  return definition.open(definition.options.parse({ ...account, ...times, endpoint, fifo }), context);
}

/** As another program would: without our attribute. */
async function foreign(endpoint: string, topic: string, fifo: boolean): Promise<void> {
  const sns = new SNSClient({ endpoint, region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } });
  const { name } = topicName(topic, fifo);
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: name, ...(fifo && { Attributes: { FifoTopic: "true" } }) }));
  const order = fifo ? { MessageGroupId: "theirs", MessageDeduplicationId: randomUUID() } : {};
  await sns.send(new PublishCommand({ TopicArn, Message: "hello", ...order }));
  sns.destroy();
}
