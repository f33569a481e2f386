import { z } from "zod";
import { count, duration, flag, ignored, oneOf, orDefault, text } from "../../pubsub/options.ts";

const word = () =>
  text()
    .optional()
    .transform((value) => value?.trim() || undefined);
const older = (key: string) => word().describe(`Older name of ${key}.`);
const unsupported = () =>
  word()
    .refine((value) => value === undefined, { error: "IAM Roles Anywhere is not supported: use assumeRoleArn or the usual chain" })
    .describe("Must be absent: IAM Roles Anywhere is not supported.");

/** A receive waits at least a second, and at most half a lease. */
const LEAST_LEASE_S = 2;
/** What SQS itself allows. */
const MOST_LEASE_S = 43_200;
const MOST_WAIT_S = 20;
const MOST_RETENTION_MS = 1_209_600_000;

/** The keys of `metadata`: Dapr's (`pubsub.aws.snssqs`) and Layotto's with their defaults, then our own. */
export const snsSqsOptions = z
  .strictObject({
    region: word().describe("AWS region. Default: that of the environment or the profile."),
    endpoint: word().describe("URL of another server than AWS, such as an emulator."),
    accessKey: word().describe("Access key id. Default: the usual chain (environment, profile, web identity, container, instance)."),
    secretKey: word().describe("Secret of the access key."),
    sessionToken: word().describe("Token of temporary credentials."),
    assumeRoleArn: word().describe("Role to assume with these credentials, or with those of the usual chain."),
    assumeRoleSessionName: word().describe("Session name of that role. Default: layotto and the component's name."),
    accountId: word().describe("Account of the topics, where others share theirs with it. Only looked at with disableEntityManagement."),
    fifo: orDefault(flag(), false).describe("FIFO topics and queues: order by key. Default false."),
    fifoMessageGroupID: word().describe("With fifo: the key of messages that have none. Default: they are in no order."),
    disableEntityManagement: orDefault(flag(), false).describe(
      "Topics, queues and subscriptions are looked up and never made. Default false.",
    ),
    messageVisibilityTimeout: orDefault(count(LEAST_LEASE_S, MOST_LEASE_S), 30).describe(
      "Seconds that a message stays with a sidecar that no longer gives sign of life, at least 2. Default 30 (Dapr: 10).",
    ),
    messageWaitTimeSeconds: orDefault(count(1, MOST_WAIT_S), 2).describe(
      "Seconds that a receive waits for a message, at most half of messageVisibilityTimeout; more costs fewer calls, and a sidecar that stops waits for it. Default 2.",
    ),
    messageMaxNumber: orDefault(count(1, 10), 10).describe("Most messages of one receive. Default 10."),
    concurrencyMode: orDefault(oneOf(["parallel", "single"]), "parallel").describe(
      "`single`: one message is with the app at a time, of each subscription that does not say otherwise. `parallel` (default): as concurrencyLimit says.",
    ),
    concurrencyLimit: orDefault(count(), 0).describe(
      "Most messages with the app at once, of each subscription that does not say it. Default 0: delivery.maxInFlight decides.",
    ),
    assetsManagementTimeoutSeconds: ignored("requestTimeout bounds every call"),

    messageRetryLimit: ignored("retry.maxFailures decides, and nothing is deleted unless it was handled"),
    messageReceiveLimit: ignored("receives are no failures; retry.maxFailures decides"),
    sqsDeadLettersQueueName: ignored("deadLetterTopic of the subscription decides"),
    disableDeleteOnRetryLimit: ignored("nothing is deleted unless it was handled"),
    partition: ignored("the region tells it"),
    awsAccountID: older("accessKey"),
    awsSecret: older("secretKey"),
    awsRegion: older("region"),
    awsIamRoleArn: older("assumeRoleArn"),
    awsStsSessionName: older("assumeRoleSessionName"),
    trustAnchorArn: unsupported(),
    trustProfileArn: unsupported(),

    onUnroutable: orDefault(oneOf(["refuse", "accept"]), "refuse").describe(
      "A publish to a topic that no queue is subscribed to: `refuse` (default): it fails; `accept`: it succeeds, and the message is gone.",
    ),
    allowRedrive: orDefault(flag(), false).describe(
      "Read queues whose redrive policy moves messages away after so many receives. Default false: they are refused.",
    ),
    retention: orDefault(duration(), MOST_RETENTION_MS).describe(
      "How long queues that are made here keep a message. Default and most 14d.",
    ),
    createWait: orDefault(duration(), 1_000).describe(
      "How long a queue that was made is given before it is relied upon. Default 1s, as AWS asks.",
    ),
    connectTimeout: orDefault(duration(), 3_000).describe("Longest wait for a connection. Default 3s."),
    requestTimeout: orDefault(duration(), 5_000).describe(
      "Longest wait for an answer, beyond the time that a receive waits for a message. Default 5s.",
    ),
    maxConnections: orDefault(count(1, 1_000), 50).describe(
      "Most connections to SNS, and most to SQS for settling. Receiving has its own, at most 8 a subscription. Default 50.",
    ),
  })
  .transform(({ messageVisibilityTimeout, messageWaitTimeSeconds, ...options }) => ({
    ...options,
    region: options.region ?? options.awsRegion,
    accessKey: options.accessKey ?? options.awsAccountID,
    secretKey: options.secretKey ?? options.awsSecret,
    assumeRoleArn: options.assumeRoleArn ?? options.awsIamRoleArn,
    assumeRoleSessionName: options.assumeRoleSessionName ?? options.awsStsSessionName,
    leaseSeconds: messageVisibilityTimeout,
    // A lease is counted from when its call left: what comes at the end of the wait must have some of it left.
    waitSeconds: Math.min(messageWaitTimeSeconds, Math.floor(messageVisibilityTimeout / 2)),
  }))
  .superRefine((options, context) => {
    const refuse = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message, input: undefined });
    if (!options.accessKey !== !options.secretKey) refuse("accessKey", "accessKey and secretKey belong together");
    if (options.sessionToken && !options.accessKey) refuse("sessionToken", "sessionToken needs accessKey and secretKey");
    if (options.endpoint !== undefined && !URL.canParse(options.endpoint))
      refuse("endpoint", "expected a URL such as http://localhost:4566");
    if (options.accountId !== undefined && !/^\d{12}$/.test(options.accountId)) refuse("accountId", "expected twelve digits");
    if (options.retention < 60_000 || options.retention > MOST_RETENTION_MS) refuse("retention", "expected 1m to 14d");
    for (const key of ["connectTimeout", "requestTimeout"] as const) if (options[key] <= 0) refuse(key, "expected more than 0");
  });

export type SnsSqsOptions = z.output<typeof snsSqsOptions>;
