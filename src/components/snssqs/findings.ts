import type { Finding } from "../../pubsub/pubsub.ts";
import type { SnsSqsOptions } from "./config.ts";
import { MOST_BYTES } from "./limits.ts";

type Attributes = Readonly<Record<string, string>>;

const DAY_S = 86_400;
const MOST_RETENTION_S = 14 * DAY_S;

/** Why a queue that was found must not be read: SQS would take messages out of it that nobody has handled (D2). */
export function refusal(url: string, attributes: Attributes, { allowRedrive }: SnsSqsOptions): Finding | undefined {
  const policy = attributes.RedrivePolicy;
  if (!policy || allowRedrive) return undefined;
  const { found, remedy } = redrive(url, policy);
  return { level: "warn", id: "snssqs.redrive-policy", found: `${found} It is not read.`, remedy };
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
  const { RedrivePolicy, MessageRetentionPeriod, Policy = "" } = attributes;
  const found: Finding[] = [];
  if (RedrivePolicy) found.push({ level: "warn", id: "snssqs.redrive-policy", ...redrive(url, RedrivePolicy) });
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
  if (!allowed && !mentions(Policy, topicArn)) {
    const what = `The policy of the queue ${name} does not name the topic ${topicArn}: SNS may not be allowed to put messages there, and drops them without a word.`;
    found.push(warn("queue-policy", what, `Allow sns.amazonaws.com sqs:SendMessage with aws:SourceArn ${topicArn}.`));
  }
  return found;
}

function mentions(policy: string, topicArn: string): boolean {
  // A pattern may mean it: who can say.
  return policy.includes(topicArn) || /"arn:[^"]*:sns:[^"]*\*"|"aws:SourceAccount"/.test(policy);
}

function redrive(url: string, policy: string): { readonly found: string; readonly remedy: string } {
  return {
    found: `The queue ${url} has the redrive policy ${policy}: SQS moves a message away after so many receives, whether or not it failed.`,
    remedy: `Remove it (aws sqs set-queue-attributes --queue-url ${url} --attributes RedrivePolicy=) and use deadLetterTopic, or set allowRedrive.`,
  };
}

const warn = (id: string, found: string, remedy: string): Finding => ({ level: "warn", id: `snssqs.${id}`, found, remedy });
