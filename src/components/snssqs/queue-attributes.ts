import type { SnsSqsOptions } from "./config.ts";

/** What a queue is made with: by us, or by the command that we name. */
export function queueAttributes({ retention, fifo }: SnsSqsOptions, queueArn: string, topicArn: string): Readonly<Record<string, string>> {
  return {
    MessageRetentionPeriod: String(Math.floor(retention / 1_000)),
    Policy: policyFor(queueArn, topicArn),
    ...(fifo && { FifoQueue: "true", DeduplicationScope: "messageGroup", FifoThroughputLimit: "perMessageGroupId" }),
  };
}

/** Lets SNS put there what is published to the topic. Without it SNS drops it, and tells nobody. */
export function policyFor(queueArn: string, topicArn: string): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: [statementFor(queueArn, topicArn)] });
}

export function statementFor(queueArn: string, topicArn: string) {
  return {
    Sid: "layotto",
    Effect: "Allow",
    Principal: { Service: "sns.amazonaws.com" },
    Action: "sqs:SendMessage",
    Resource: queueArn,
    Condition: { ArnEquals: { "aws:SourceArn": topicArn } },
  };
}
