import { z } from "zod";
import { count, duration, flag, ignored, oneOf, orDefault, text } from "../../pubsub/options.ts";

/** The proxy's own least. */
const LEAST_LEASE_MS = 10_000;
const LAST_PORT = 65_535;

const pull = () => ignored("the window of the subscription decides how much is fetched");
const only = <T extends string>(word: T, why: string) =>
  orDefault(text(), "")
    .refine((value) => value === "" || value.toLowerCase() === word.toLowerCase(), { error: why })
    .describe(word === "" ? `Must be empty: ${why}.` : `Only \`${word}\`: ${why}.`);

/** The keys of `metadata`: our own, then Layotto's and Dapr's. */
export const rocketmqOptions = z
  .strictObject({
    endpoints: orDefault(text(), "").describe(
      "`host:port` of the gRPC proxy of RocketMQ 5, or a list of several, of which one is used at a time. Required.",
    ),
    nameServer: orDefault(text(), "").describe(
      "`host:port` of the name server, or a list. It leads to the brokers when topics and groups are created and checked; messages go through `endpoints`.",
    ),
    entityManagement: orDefault(flag(), true).describe(
      "Create topics and groups that are missing. Needs nameServer; default true where that is given.",
    ),
    topicType: orDefault(oneOf(["normal", "fifo", "delay", "mixed"]), "normal").describe(
      "Type of the topics that are created by a publish, or for a subscription without order: `normal` (default), `fifo`, `delay` (every message can be delayed), or `mixed`, where the broker has enableMixedMessageType. For one with order they are of type FIFO.",
    ),
    topicQueues: orDefault(count(1, 1_024), 8).describe("Queues of a topic that is created, on each broker. Default 8."),
    accessKey: text().optional().describe("Access key."),
    secretKey: text().optional().describe("Secret key."),
    securityToken: text().optional().describe("Token of temporary credentials."),
    nameSpace: orDefault(text(), "").describe("Namespace of topics and groups, where the server has namespaces."),
    consumerGroup: orDefault(text(), "").describe("Another word for consumerID: the group."),
    groupName: orDefault(text(), "").describe("Older name of consumerGroup."),
    enableTLS: orDefault(flag(), false).describe("Connect to the proxy by TLS. Default false."),
    insecureSkipTLSVerify: orDefault(flag(), false).describe(
      "Accept any server certificate; a proxy makes itself one by default. Default false.",
    ),
    caCert: text()
      .optional()
      .describe("The authority that signed the proxy's certificate: a file in PEM, or its text. Default: the system's."),
    clientCert: text().optional().describe("Our own certificate: a file in PEM, or its text."),
    clientKey: text().optional().describe("Our own key: a file in PEM, or its text."),
    lease: orDefault(duration(), 30_000).describe(
      "How long a message stays with a sidecar that no longer gives sign of life. Default 30s, at least 10s.",
    ),
    pollTimeout: orDefault(duration(), 5_000).describe(
      "How long one request for messages waits at the broker. Default 5s, at least that; at most half of the lease.",
    ),
    requestTimeout: orDefault(duration(), 3_000).describe(
      "Longest silence of a proxy that owes a reply; then the connection is made anew. Default 3s.",
    ),
    sendTimeOutSec: orDefault(count(0), 30).describe(
      "Longest wait for the reply to a publish, in seconds. Default 30; 0 means the default.",
    ),

    nameServerDomain: only("", "the name server is not looked up over HTTP: use nameServer"),
    consumerModel: only("clustering", "broadcasting is a group of its own for each replica"),
    consumeOrderly: orDefault(flag(), false)
      .refine((on) => !on, { error: "ask for it in the subscription: order: key" })
      .describe("Must be false: order belongs to the subscription (`order: key`)."),
    maxReconsumeTimes: ignored("the subscription's retry decides; groups that are created have no limit of their own"),
    instanceName: ignored("each process has a client id of its own"),
    producerGroup: ignored("RocketMQ 5 has no producer groups"),
    retries: ignored("the engine decides what is tried again"),
    producerQueueSelector: ignored("the proxy chooses the queue; partitionKey keeps messages together"),
    queueSelector: ignored("the proxy chooses the queue; partitionKey keeps messages together"),
    fromWhere: ignored("the subscription's start decides"),
    consumeFromWhere: ignored("the subscription's start decides"),
    consumeTimestamp: ignored("the subscription's start decides"),
    consumeMessageBatchMaxSize: pull(),
    consumeConcurrentlyMaxSpan: pull(),
    autoCommit: ignored("a message is acknowledged when the app has done it"),
    consumeTimeout: ignored("the subscription's processingTimeout decides"),
    consumerPullTimeout: ignored("see pollTimeout"),
    pullInterval: pull(),
    pullBatchSize: pull(),
    consumerBatchSize: pull(),
    pullThresholdForQueue: pull(),
    pullThresholdForTopic: pull(),
    pullThresholdSizeForQueue: pull(),
    pullThresholdSizeForTopic: pull(),
    sendTimeOut: ignored("see sendTimeOutSec"),
    "content-type": ignored("each event has its own"),
    logLevel: ignored("there is one log"),
    mspProperties: ignored("all properties of a message are delivered"),
  })
  .transform((options) => ({
    ...options,
    consumerGroup: options.consumerGroup || options.groupName,
    proxies: parseAddresses(options.endpoints, 8081),
    nameServers: parseAddresses(options.nameServer, 9876),
    sendTimeoutMs: (options.sendTimeOutSec || 30) * 1_000,
  }))
  .superRefine((options, context) => {
    const refuse = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message, input: undefined });
    if (options.proxies.length === 0) {
      const only = options.nameServer === "" ? "" : ": messages go through RocketMQ 5's proxy, which the nameServer does not tell";
      refuse("endpoints", `expected host:port of the gRPC proxy (port 8081, or another from 1 to ${LAST_PORT})${only}`);
    }
    if (options.nameServer !== "" && options.nameServers.length === 0)
      refuse("nameServer", `expected host:port, the port from 1 to ${LAST_PORT}`);
    if (options.lease < LEAST_LEASE_MS) refuse("lease", "expected at least 10s, the least that RocketMQ's proxy takes");
    if (options.pollTimeout < 5_000) refuse("pollTimeout", "expected at least 5s, the least that RocketMQ's proxy takes");
    // The lease counts from the request on, since nobody tells when the message was given.
    if (options.pollTimeout > options.lease / 2)
      refuse("pollTimeout", "expected at most half of the lease, or little of it is left for a message that comes late in a request");
    if (options.requestTimeout <= 0) refuse("requestTimeout", "expected more than 0");
    if (!options.accessKey !== !options.secretKey) refuse("secretKey", "accessKey and secretKey belong together");
    if (!options.clientCert !== !options.clientKey) refuse("clientCert", "clientCert and clientKey belong together");
  });

export type RocketmqOptions = z.output<typeof rocketmqOptions>;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `10.0.0.1:8081`, `http://proxy:8081`, and lists of them. Empty when it is none. */
function parseAddresses(list: string, defaultPort: number): readonly HostPort[] {
  const addresses: HostPort[] = [];
  for (const item of list.split(/[,;]/)) {
    if (item.trim() === "") continue;
    const match = /^\s*(?:https?:\/\/)?(?:\[([^\]]+)\]|([^\s:/]+))(?::(\d+))?\/?\s*$/.exec(item);
    const host = match?.[1] ?? match?.[2];
    const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
    if (host === undefined || port < 1 || port > LAST_PORT) return [];
    addresses.push({ host, port });
  }
  return addresses;
}
