import type { Finding } from "../../pubsub/pubsub.ts";
import type { SubscribeRequest } from "../../pubsub/subscription.ts";
import type { SnsSqsOptions } from "./config.ts";
import type { Attributes } from "./directory.ts";
import { MOST_BYTES } from "./limits.ts";
import { statementFor } from "./queue-attributes.ts";
import { permission } from "./queue-policy.ts";

const DAY_S = 86_400;
const MOST_RETENTION_S = 14 * DAY_S;
/** The key that AWS keeps for SQS alone: its policy cannot be changed to let SNS use it. */
const KEY_OF_SQS = /(^|:)alias\/aws\/sqs$/;

/** A queue that was found. */
export interface Candidate {
  readonly name: string;
  readonly url: string;
  /** Whose it is, where SNS is to fill it. Undefined: whoever fills it. */
  readonly group?: { readonly request: Pick<SubscribeRequest, "topic" | "group">; readonly arn: string; readonly topicArn: string };
}

/**
 * Why a queue that was found must not be read: SQS would take messages out of it that nobody has handled (D2), or SNS can put none into
 * it, and yet a publish succeeds (D1). A policy that is absent is none of these: it may be given one.
 */
export function refusal({ url, group }: Candidate, attributes: Attributes, { allowRedrive }: SnsSqsOptions): Finding | undefined {
  const { RedrivePolicy, KmsMasterKeyId = "", Policy } = attributes;
  if (RedrivePolicy && !allowRedrive) {
    const { found, remedy } = redrive(url, RedrivePolicy);
    return warn("redrive-policy", `${found} It is not read.`, remedy);
  }
  if (!group) return undefined;
  if (KEY_OF_SQS.test(KmsMasterKeyId)) {
    const found = `The queue ${url} is encrypted with ${KmsMasterKeyId}, a key that SNS can never use: SNS drops every message for it. It is not read.`;
    const command = `aws sqs set-queue-attributes --queue-url ${url} --attributes KmsMasterKeyId=, then SqsManagedSseEnabled=true`;
    return warn("kms-key", found, `Use a key of your own that SNS may use, or that of SQS itself (${command}).`);
  }
  if (Policy && permission(Policy, group.topicArn) === "nobody") {
    const found = `The policy of the queue ${url} lets SNS put nothing there: SNS drops every message for it. It is not read.`;
    return warn("queue-policy", found, `Add the statement ${JSON.stringify(statementFor(group.arn, group.topicArn))}.`);
  }
  return undefined;
}

export interface Found {
  readonly name: string;
  readonly url: string;
  readonly topicArn: string;
  readonly attributes: Attributes;
  readonly subscription: Attributes;
  /** SNS was allowed to put messages there just now. */
  readonly allowed: boolean;
}

/** What a queue, and its subscription, mean for its messages. */
export function findings({ name, url, topicArn, attributes, subscription, allowed }: Found): readonly Finding[] {
  const { RedrivePolicy, MessageRetentionPeriod, KmsMasterKeyId, Policy = "" } = attributes;
  const found: Finding[] = [];
  if (RedrivePolicy) {
    const { found: what, remedy } = redrive(url, RedrivePolicy);
    found.push(warn("redrive-policy", what, remedy));
  }
  const retention = Number(MessageRetentionPeriod ?? MOST_RETENTION_S);
  if (retention < MOST_RETENTION_S) {
    const days = Math.round((retention / DAY_S) * 100) / 100;
    const what = `The queue ${name} keeps a message for ${days} days, handled or not.`;
    const command = `aws sqs set-queue-attributes --queue-url ${url} --attributes MessageRetentionPeriod=${MOST_RETENTION_S}`;
    found.push(warn("retention", what, `If 14 days are better: ${command}`));
  }
  const most = Number(attributes.MaximumMessageSize ?? MOST_BYTES);
  if (most < MOST_BYTES) {
    const what = `The queue ${name} takes messages of ${most} bytes at most, SNS of ${MOST_BYTES}: it never gets what is larger.`;
    const command = `aws sqs set-queue-attributes --queue-url ${url} --attributes MaximumMessageSize=${MOST_BYTES}`;
    found.push(warn("message-size", what, command));
  }
  if (subscription.FilterPolicy) {
    const what = `The subscription of the queue ${name} has a filter policy: what it does not match is never delivered.`;
    found.push(warn("filter-policy", what, "Remove it if the app is to get every message."));
  }
  if (KmsMasterKeyId) {
    const what = `The queue ${name} is encrypted with the KMS key ${KmsMasterKeyId}: unless that lets SNS use it, SNS drops every message for the queue.`;
    found.push(warn("kms-key", what, "Allow sns.amazonaws.com kms:GenerateDataKey and kms:Decrypt in the key's policy."));
  }
  const may = allowed ? "allowed" : permission(Policy, topicArn);
  if (may !== "allowed") {
    const unread = `cannot be read: whether SNS may put messages of the topic ${topicArn} there is unknown.`;
    const others = `does not let the topic ${topicArn} put messages there: SNS drops them without a word.`;
    const what = `The policy of the queue ${name} ${may === "unknown" ? unread : others}`;
    found.push(warn("queue-policy", what, `Allow sns.amazonaws.com sqs:SendMessage with aws:SourceArn ${topicArn}.`));
  }
  return found;
}

function redrive(url: string, policy: string): { readonly found: string; readonly remedy: string } {
  return {
    found: `The queue ${url} has the redrive policy ${policy}: SQS moves a message away after so many receives, whether or not it failed.`,
    remedy: `Remove it (aws sqs set-queue-attributes --queue-url ${url} --attributes RedrivePolicy=) and use deadLetterTopic, or set allowRedrive.`,
  };
}

const warn = (id: string, found: string, remedy: string): Finding => ({ level: "warn", id: `snssqs.${id}`, found, remedy });
