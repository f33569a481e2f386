import { SQS } from "@aws-sdk/client-sqs";
import { queueName } from "../../../src/components/snssqs/names.ts";
import { awsAvailable, startAws } from "../../brokers/aws.ts";
import { toxiproxyAvailable } from "../../brokers/toxiproxy.ts";
import type { Component } from "../../e2e/sidecar.ts";
import { type Broker, type BrokerServer, NO_DISK, type Owed } from "../broker.ts";
import { SCENARIOS } from "../scenarios/index.ts";
import { OF_THE_ENGINE } from "../scenarios/of-the-engine.ts";

const ACCOUNT = { region: "us-east-1", accessKey: "test", secretKey: "test" };
/** Short times, so that what must run out does so within a test; SQS counts in seconds. */
const TIMES = { messageVisibilityTimeout: 3, messageWaitTimeSeconds: 1, createWait: 0 };

const IN_MEMORY = "moto keeps all in memory, and so loses what SNS and SQS would not";
const SHORT_CONNECTIONS = "moto ends every connection after one answer, which is never long enough to be cut";

const GAPS = {
  ...NO_DISK,
  refuses: "the tests have no lever that makes moto refuse one topic",
  trims: "a queue has nothing but what is not settled",
  "cut-in-read": SHORT_CONNECTIONS,
  "broker-killed": IN_MEMORY,
  "slow-close": IN_MEMORY,
  "cut-in-reply": SHORT_CONNECTIONS,
  "cut-in-request": SHORT_CONNECTIONS,
  failover: "AWS does that behind its endpoint",
  // On FIFO its id tells the two apart while the first is younger than five minutes, but that is only one of the two ways.
  "dead-letters":
    "it is published, then its original deleted, and it is deleted itself once the app had it: a kill between two of these brings it twice (nothing is lost)",
};

/** A second or more for each call of a sidecar that starts, stops or fails a message, on a server that works on one at a time. */
const SLOW: ReadonlySet<string> = new Set([
  ...OF_THE_ENGINE,
  "broker-frozen",
  "flushed",
  "replies-swallowed",
  "app-killed",
  "pod-killed",
  "sidecar-stopped",
  "sidecar-frozen",
  "latency",
  "reset-peer",
  "requests-swallowed",
  "app-slow",
  "all-fail",
]);
/** FIFO differs in its order alone; one scenario of three kills is enough on a server that is so slow. */
const WITHOUT_ORDER = new Set([...OF_THE_ENGINE, "order-killed", ...SCENARIOS.filter(({ ordered }) => !ordered).map(({ name }) => name)]);

export const snssqs: Broker = brokerOf("snssqs", false, { ...GAPS, ordered: "queues that are not FIFO keep no order" }, SLOW);

export const snssqsFifo: Broker = brokerOf("snssqs-fifo", true, GAPS, WITHOUT_ORDER);

function brokerOf(name: string, fifo: boolean, gaps: Broker["gaps"], byHand: ReadonlySet<string>): Broker {
  return { name, gaps, byHand, unavailable: () => awsAvailable() ?? toxiproxyAvailable(), start: () => start(fifo) };
}

async function start(fifo: boolean): Promise<BrokerServer> {
  const server = await startAws();
  const credentials = { accessKeyId: ACCOUNT.accessKey, secretAccessKey: ACCOUNT.secretKey };
  const sqs = new SQS({ endpoint: server.url, region: ACCOUNT.region, credentials });
  return {
    component: (port): Component => ({
      type: "snssqs",
      metadata: { ...ACCOUNT, ...TIMES, endpoint: `http://127.0.0.1:${port}`, fifo },
    }),
    process: {
      port: server.port,
      kill: () => server.kill(),
      restart: () => server.restart(),
      freeze: () => server.freeze(),
      thaw: () => server.thaw(),
      accepted: () => Promise.reject(new Error("moto does not tell how many connections it has taken")),
      wipe: () => server.reset(),
    },
    owed: (topic, group) => owed(sqs, queueName(topic, group, fifo).name),
    async stop() {
      sqs.destroy();
      await server.stop();
    },
  };
}

async function owed(sqs: SQS, QueueName: string): Promise<Owed> {
  const { QueueUrl } = await sqs.getQueueUrl({ QueueName });
  const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] });
  const { ApproximateNumberOfMessages: visible, ApproximateNumberOfMessagesNotVisible: hidden } = Attributes ?? {};
  return { pending: Number(hidden), lag: Number(visible) };
}
