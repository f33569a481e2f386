import { asPubSubError } from "../../pubsub/error.ts";
import type { Finding } from "../../pubsub/pubsub.ts";
import type { Aws } from "./client.ts";
import type { SnsSqsOptions } from "./config.ts";

/** Resolves when SQS answers us: that it lets us list nothing is an answer too. */
export async function ping(aws: Aws, signal: AbortSignal): Promise<void> {
  try {
    await aws.call("ListQueues", (options) => aws.sqs.listQueues({ MaxResults: 1 }, options), signal);
  } catch (thrown) {
    const error = asPubSubError(thrown);
    if (error.code !== "permission_denied" && error.code !== "resource_exhausted") throw error;
  }
}

/** What keys of Dapr mean that have no effect here. */
export function unheeded(options: SnsSqsOptions): readonly Finding[] {
  if (options.sqsDeadLettersQueueName === undefined && options.messageReceiveLimit === undefined) return [];
  const found =
    "sqsDeadLettersQueueName and messageReceiveLimit are without effect: they would move messages away by how often they were received.";
  return [{ level: "warn", id: "snssqs.dead-letters", found, remedy: "Set deadLetterTopic of the subscription, and retry.maxFailures." }];
}
