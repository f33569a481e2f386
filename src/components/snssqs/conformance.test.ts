import { randomUUID } from "node:crypto";
import { CreateTopicCommand, PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { afterAll, beforeAll, describe, test, vi } from "vitest";
import { type AwsServer, startAws } from "../../../test/brokers/aws.ts";
import { withAws } from "../../../test/brokers/with-aws.ts";
import { conformance, type Gap } from "../../conformance/index.ts";
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
  beforeAll(async () => {
    server = await startAws();
  }, START_MS);
  afterAll(() => server.stop());

  for (const fifo of [false, true]) {
    const account = { region: "us-east-1", accessKey: "test", secretKey: "test" };
    const options = () =>
      definition.options.parse({
        ...account,
        endpoint: server.url,
        fifo,
        messageVisibilityTimeout: LEASE_S,
        messageWaitTimeSeconds: 1,
        createWait: 0,
        requestTimeout: "30s",
      });
    const open = async (): Promise<PubSub> => {
      const context = { name: "test", appId: "app1", process: `host:${randomUUID()}`, dataDir: "", clock: systemClock };
      const pubsub = definition.open(options(), context);
      await pubsub.ping(AbortSignal.timeout(PATIENCE_MS));
      return pubsub;
    };
    const { capabilities } = definition.open(definition.options.parse({ ...account, fifo }), {
      name: "test",
      appId: "app1",
      process: "host:1",
      dataDir: "",
      clock: systemClock,
    });

    describe.concurrent(fifo ? "FIFO" : "standard", () => {
      const checks = conformance({
        name: definition.type,
        capabilities,
        leaseMs: LEASE_S * 1_000,
        gaps: fifo ? [...GAPS, ...FIFO_GAPS] : GAPS,
        patienceMs: PATIENCE_MS,
        open,
        crash: (pubsub) => pubsub.close(AbortSignal.abort()).catch(() => undefined),
        foreign: (topic) => foreign(server.url, topic, fifo),
      });
      for (const { name, run } of checks) test(name, run, 2 * PATIENCE_MS);
    });
  }
});

/** As another program would: without our attribute. */
async function foreign(endpoint: string, topic: string, fifo: boolean): Promise<void> {
  const sns = new SNSClient({ endpoint, region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } });
  const { name } = topicName(topic, fifo);
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: name, ...(fifo && { Attributes: { FifoTopic: "true" } }) }));
  const order = fifo ? { MessageGroupId: "theirs", MessageDeduplicationId: randomUUID() } : {};
  await sns.send(new PublishCommand({ TopicArn, Message: "hello", ...order }));
  sns.destroy();
}
