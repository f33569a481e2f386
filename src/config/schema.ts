import { formatAddress, parseAddress } from "layotto-transport";
import { z } from "zod";
import { ERROR_CODES } from "../errors/code.ts";
import { bytes, count, duration, oneOf, text } from "../pubsub/options.ts";
import { STATUS_CODES } from "../resiliency/policy.ts";
import { LOG_LEVELS } from "../telemetry/log.ts";

const ADDRESS = "HOST:PORT or unix:///PATH";

/** An address as `parseAddress` reads it, in its plainest form. */
const address = () =>
  text().transform((value, context) => {
    const parsed = parseAddress(value);
    if (parsed) return formatAddress(parsed);
    context.addIssue({ code: "custom", message: `expected ${ADDRESS}`, input: value });
    return z.NEVER;
  });

const addresses = () =>
  z
    .preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(address()).min(1))
    .meta({ written: { anyOf: [{ type: "string" }, { type: "array", minItems: 1, items: { type: "string" } }] } });

const metadata = () => z.record(z.string(), text()).default({});

const start = () =>
  z.union(
    [
      oneOf(["earliest", "latest"]),
      z.strictObject({
        time: z.iso.datetime({ offset: true, error: "expected a time such as 2026-11-23T10:00:00Z" }).transform((time) => Date.parse(time)),
      }),
      z.strictObject({ position: text() }),
    ],
    { error: "expected earliest, latest, { time: 2026-11-23T10:00:00Z } or { position: … }" },
  );

/** One group of keys, whole when it is left out. */
const group = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape).prefault({} as z.input<z.ZodObject<T>>);

const breaker = (then: string) =>
  z.strictObject({
    failures: count(1).describe(then),
    pause: duration().default(30_000).describe("For so long. Default: 30s."),
  });
const appBreaker = () => breaker("So many failures in a row, and the app is left alone.");
const brokerBreaker = () => breaker("So many calls of the broker in a row that failed, and publishes fail at once.");

/** What fails with these is not tried again. */
const appCodes = () => z.array(oneOf(STATUS_CODES));
const brokerCodes = () => z.array(oneOf(ERROR_CODES.map((code) => code.toUpperCase())));

const rate = (what: string) => count(1).optional().describe(`${what} Default: no limit.`);
const callRate = () => rate("Most calls to the app a second.");
const publishRate = () => rate("Most messages a second, of each component; what is beyond waits for its turn until its timeout.");

const factor = () =>
  count(1).default(2).describe("How many times longer the wait is after each further failure; 1: it is constant. Default: 2.");

/** How one subscription or component differs from what holds for all. */
const ownRetry = <T extends z.ZodType>(all: string, codes: () => T) =>
  z
    .strictObject({
      first: duration().optional().describe(`Instead of ${all}.first.`),
      most: duration().optional().describe(`Instead of ${all}.most.`),
      factor: count(1).optional().describe(`Instead of ${all}.factor.`),
      maxFailures: count(1).optional().describe(`Instead of ${all}.maxFailures.`),
      permanent: codes().optional().describe(`Instead of ${all}.permanent.`),
    })
    .optional();

const duplicates = () => oneOf(["allow", "refuse"]);
const ownPublish = () =>
  z
    .strictObject({
      timeout: duration().optional().describe("Instead of publish.timeout."),
      duplicates: duplicates().optional().describe("Instead of publish.duplicates."),
      retry: ownRetry("publish.retry", brokerCodes),
      breaker: brokerBreaker().optional().describe("Instead of publish.breaker."),
      rate: count(1).optional().describe("Instead of publish.rate."),
    })
    .optional();

/** Our own form. Layotto's is turned into it, so this is the one place that knows a default. */
export const schema = z.strictObject({
  app: group({
    id: text()
      .transform((id) => id.trim())
      .refine((id) => id !== "", { error: "expected a name, such as orders-service" })
      .default("app1")
      .describe("The app's id: the name of its consumer group. Default: app1."),
    address: address().default("127.0.0.1:9999").describe("Where the app is called back. Default: 127.0.0.1:9999."),
  }),
  listen: group({
    grpc: addresses()
      .default(["127.0.0.1:34904"])
      .describe("Where the API listens: an address, or a list of them. Default: 127.0.0.1:34904."),
    http: address().default("127.0.0.1:34999").describe("Where health and administration listen. Default: 127.0.0.1:34999."),
    metrics: address().default("127.0.0.1:34903").describe("Where Prometheus scrapes /metrics. Default: 127.0.0.1:34903."),
  }),
  pubsubs: z
    .record(
      z.string(),
      z.strictObject({
        type: text().describe("The broker: redis, kafka, rocketmq, snssqs, embedded, in-memory."),
        metadata: z.record(z.string(), z.unknown()).default({}).describe("The broker's own keys, and consumerID."),
        publish: ownPublish(),
      }),
    )
    .default({})
    .describe("The components, each with the name by which apps know it."),
  subscriptions: z
    .array(
      z.strictObject({
        pubsub: text().describe("The component's name."),
        topic: text()
          .refine((topic) => topic !== "", { error: "expected a topic's name" })
          .describe("The topic."),
        group: text().optional().describe("Default: the component's consumerID."),
        start: start()
          .optional()
          .describe(
            "Where a new group begins: earliest (default), latest, { time } or { position }. With rocketmq no position; with snssqs always at what is published once its queue is there.",
          ),
        metadata: metadata().describe("rawPayload, and what the broker understands."),
        order: oneOf(["none", "key", "topic"])
          .optional()
          .describe(
            "key: messages of a partitionKey one after the other; topic: all of them (with kafka, of each partition); none. Default: none; with kafka, key.",
          ),
        deadLetterTopic: text().optional().describe("Where to put what failed too often, or was dropped. Default: nowhere."),
        maxInFlight: count(1).optional().describe("Instead of delivery.maxInFlight."),
        maxPending: count(1).optional().describe("Instead of delivery.maxPending."),
        processingTimeout: duration().optional().describe("Instead of delivery.processingTimeout."),
        retry: ownRetry("delivery.retry", appCodes),
        breaker: appBreaker().optional().describe("Instead of delivery.breaker."),
        rate: callRate(),
      }),
    )
    .default([])
    .describe("Subscriptions that the app need not ask for."),
  publish: group({
    timeout: duration()
      .default(5_000)
      .describe("How long a publish waits for its broker, tries included; a caller's deadline that is nearer shortens it. Default: 5s."),
    buffer: bytes()
      .default(64 * 2 ** 20)
      .describe("Most bytes of waiting publishes; never more than a quarter of the memory limit. Default: 64MiB."),
    duplicates: duplicates()
      .default("allow")
      .describe("Whether a publish whose outcome is unknown is tried again, which may store it twice. Default: allow."),
    maxBatch: count(1).optional().describe("Most messages of one call of the broker; 1 sends each alone. Default: what the broker takes."),
    maxMessage: bytes()
      .default(4 * 2 ** 20)
      .describe("The largest message, in bytes. The app gets it in an envelope, and its gRPC server must take that. Default: 4MiB."),
    retry: group({
      first: duration().default(50).describe("The wait after a broker's first failure in a row. Default: 50ms."),
      most: duration().default(1_000).describe("The longest wait. Default: 1s."),
      factor: factor(),
      maxFailures: count(1).optional().describe("So many failures of a message, and its publish fails. Default: it fails at the timeout."),
      permanent: brokerCodes()
        .default([])
        .describe("Codes of the broker's errors after which a publish fails at once, beside those that cannot pass. Default: none."),
    }),
    breaker: brokerBreaker().optional().describe("Leaves a broker alone that fails everything: publishes fail at once. Default: off."),
    rate: publishRate(),
  }),
  delivery: group({
    maxInFlight: count(1).default(64).describe("Most calls to the app at once, a subscription. Default: 64."),
    maxPending: count(1)
      .default(1_000)
      .describe("Most messages held by a subscription, those included that wait for another try. Default: 1000."),
    maxPendingBytes: bytes()
      .default(16 * 2 ** 20)
      .describe("Most bytes of them. Default: 16MiB."),
    buffer: bytes()
      .default(64 * 2 ** 20)
      .describe("Most bytes of them over all subscriptions; never more than a quarter of the memory limit. Default: 64MiB."),
    retry: group({
      first: duration().default(1_000).describe("The wait after a message's first failure. Default: 1s."),
      most: duration().default(60_000).describe("The longest wait. Default: 60s."),
      factor: factor(),
      maxFailures: count(1)
        .default(10)
        .describe("So many failures, and a message goes to its dead-letter topic; without one it is tried for ever. Default: 10."),
      permanent: appCodes()
        .default([])
        .describe(
          "gRPC status codes after which trying again is pointless: with a dead-letter topic it goes there at once. Default: none.",
        ),
    }),
    breaker: appBreaker().optional().describe("Leaves the app alone when all fails. Default: off."),
    rate: callRate(),
    processingTimeout: duration().default(900_000).describe("How long the app may work on one event. Default: 15m."),
  }),
  shutdown: group({ timeout: duration().default(25_000).describe("How long running work may take at a stop. Default: 25s.") }),
  health: group({
    readiness: oneOf(["lenient", "strict"])
      .default("lenient")
      .describe("strict: a broker or subscription that does not work turns readiness DOWN. Default: lenient."),
  }),
  log: group({ level: oneOf(LOG_LEVELS).default("info").describe("Default: info.") }),
  dataDir: text().optional().describe("Where durable files are kept. Default: .layotto in the working directory."),
  $schema: text().optional().describe("The schema by which editors check the file. Without effect."),
});

export type Settings = z.output<typeof schema>;
