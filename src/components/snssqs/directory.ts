import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { SubscribeRequest } from "../../pubsub/subscription.ts";
import type { Aws } from "./client.ts";
import type { SnsSqsOptions } from "./config.ts";
import { isMissing } from "./errors.ts";
import { groupOf, isHashed, topicOf } from "./names.ts";
import { policyFor, queueAttributes } from "./queue-attributes.ts";
import { GROUP_TAG, originalOf, TOPIC_TAG } from "./tags.ts";

type Request = Pick<SubscribeRequest, "topic" | "group">;
export type Attributes = Readonly<Record<string, string>>;

/** One subscription of a topic. */
export interface Subscribed {
  readonly arn: string;
  readonly protocol: string;
  /** The queue's ARN, where it is a queue. */
  readonly endpoint: string;
}

/** Looks up what there is, and says how to make what is missing. */
export class Directory {
  readonly #options: SnsSqsOptions;

  constructor(options: SnsSqsOptions) {
    this.#options = options;
  }

  /** The ARN of the topic with this name. Rejects when there is none. */
  async topic(aws: Aws, name: string, topic: string): Promise<string> {
    const arn = await find(this.topics(aws), (one) => one.endsWith(`:${name}`) && this.#isOurs(one));
    if (arn !== undefined) return arn;
    const fifo = this.#options.fifo ? " --attributes FifoTopic=true" : "";
    throw missing(`the topic ${topic} is not there`, `aws sns create-topic --name ${name}${fifo}`);
  }

  /** ARNs of all topics. */
  async *topics(aws: Aws): AsyncGenerator<string> {
    let NextToken: string | undefined;
    do {
      const input = NextToken === undefined ? {} : { NextToken };
      const page = await aws.call("ListTopics", (options) => aws.sns.listTopics(input, options));
      for (const { TopicArn } of page.Topics ?? []) if (TopicArn !== undefined) yield TopicArn;
      NextToken = page.NextToken;
    } while (NextToken);
  }

  /** Only those that are confirmed: the others get nothing. */
  async *subscriptions(aws: Aws, TopicArn: string): AsyncGenerator<Subscribed> {
    let NextToken: string | undefined;
    do {
      const input = { TopicArn, ...(NextToken !== undefined && { NextToken }) };
      const page = await aws.call("ListSubscriptionsByTopic", (options) => aws.sns.listSubscriptionsByTopic(input, options));
      for (const { SubscriptionArn = "", Protocol = "", Endpoint = "" } of page.Subscriptions ?? []) {
        if (SubscriptionArn.startsWith("arn:")) yield { arn: SubscriptionArn, protocol: Protocol, endpoint: Endpoint };
      }
      NextToken = page.NextToken;
    } while (NextToken);
  }

  /** Whether any queue gets what is published to the topic: a subscription outlives its queue. */
  async hasQueue(aws: Aws, topicArn: string): Promise<boolean> {
    for await (const { protocol, endpoint } of this.subscriptions(aws, topicArn)) {
      if (protocol === "sqs" && (await this.#isThere(aws, topicArn, endpoint))) return true;
    }
    return false;
  }

  async subscription(aws: Aws, topicArn: string, queueArn: string): Promise<string | undefined> {
    return (await find(this.subscriptions(aws, topicArn), ({ endpoint }) => endpoint === queueArn))?.arn;
  }

  /**
   * Whether the topic has all these subscriptions. Asked of the topic: a subscription of a topic that was deleted, and made again
   * since, goes on answering for itself.
   */
  async subscribed(aws: Aws, topicArn: string, arns: readonly (string | undefined)[]): Promise<boolean> {
    const missing = new Set(arns);
    try {
      for await (const { arn } of this.subscriptions(aws, topicArn)) missing.delete(arn);
    } catch (error) {
      if (isMissing(asPubSubError(error))) return false;
      throw error;
    }
    return missing.size === 0;
  }

  async subscriptionAttributes(aws: Aws, SubscriptionArn: string): Promise<Attributes> {
    const input = { SubscriptionArn };
    const { Attributes = {} } = await aws.call("GetSubscriptionAttributes", (options) => aws.sns.getSubscriptionAttributes(input, options));
    return Attributes;
  }

  async queueUrl(aws: Aws, QueueName: string): Promise<string | undefined> {
    try {
      return (await aws.call("GetQueueUrl", (options) => aws.sqs.getQueueUrl({ QueueName }, options))).QueueUrl;
    } catch (error) {
      if (isMissing(asPubSubError(error))) return undefined;
      throw error;
    }
  }

  /** The topic that stands behind an ARN. Undefined: it is not of our making. */
  async topicOf(aws: Aws, ResourceArn: string): Promise<string | undefined> {
    const name = lastOf(ResourceArn);
    if (!isHashed(name)) return topicOf(name);
    const { Tags = [] } = await aws.call("ListTagsForResource", (options) => aws.sns.listTagsForResource({ ResourceArn }, options));
    return originalOf(TOPIC_TAG, Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])));
  }

  /** Topic and group whose queue has this ARN. Undefined: it is not of our making. */
  async groupOf(aws: Aws, queueArn: string): Promise<Request | undefined> {
    const name = lastOf(queueArn);
    const QueueUrl = isHashed(name) ? await this.queueUrl(aws, name) : undefined;
    if (QueueUrl === undefined) return groupOf(name);
    const { Tags = {} } = await aws.call("ListQueueTags", (options) => aws.sqs.listQueueTags({ QueueUrl }, options));
    const [topic, group] = [originalOf(TOPIC_TAG, Tags), originalOf(GROUP_TAG, Tags)];
    return topic === undefined || group === undefined ? undefined : { topic, group };
  }

  async attributes(aws: Aws, QueueUrl: string, signal?: AbortSignal): Promise<Attributes> {
    const input = { QueueUrl, AttributeNames: ["All" as const] };
    const { Attributes = {} } = await aws.call("GetQueueAttributes", (options) => aws.sqs.getQueueAttributes(input, options), signal);
    return Attributes;
  }

  missingQueue(name: string, queueArn: string, topicArn: string, { topic, group }: Request): PubSubError {
    const attributes = JSON.stringify(queueAttributes(this.#options, queueArn, topicArn));
    const command = `aws sqs create-queue --queue-name ${name} --attributes '${attributes}'`;
    return missing(`the queue of the group ${group} on the topic ${topic} is not there`, command);
  }

  /** There is no policy, and so nobody but its owner may put messages in the queue. */
  missingPolicy(url: string, queueArn: string, topicArn: string, { topic, group }: Request): PubSubError {
    const attributes = JSON.stringify({ Policy: policyFor(queueArn, topicArn) });
    const command = `aws sqs set-queue-attributes --queue-url ${url} --attributes '${attributes}'`;
    return missing(`the queue of the group ${group} has no policy that lets SNS put the messages of ${topic} there`, command);
  }

  missingSubscription(topicArn: string, queueArn: string, { topic, group }: Request): PubSubError {
    const how = `--protocol sqs --notification-endpoint ${queueArn} --attributes RawMessageDelivery=true`;
    const command = `aws sns subscribe --topic-arn ${topicArn} ${how}`;
    return missing(`the queue of the group ${group} is not subscribed to the topic ${topic}`, command);
  }

  /** A queue that is elsewhere, or that we may not look at, is believed. */
  async #isThere(aws: Aws, topicArn: string, arn: string): Promise<boolean> {
    const name = lastOf(arn);
    if (arn !== queueArn(topicArn, name)) return true;
    try {
      return (await this.queueUrl(aws, name)) !== undefined;
    } catch (error) {
      if (asPubSubError(error).code === "permission_denied") return true;
      throw error;
    }
  }

  /** Topics that other accounts share with us may be in the list, too. */
  #isOurs(arn: string): boolean {
    const { accountId } = this.#options;
    return accountId === undefined || arn.split(":")[4] === accountId;
  }
}

/** arn:PARTITION:sns:REGION:ACCOUNT:TOPIC and its queue stand in the same place. */
export function queueArn(topicArn: string, name: string): string {
  const [arn, partition, , region, account] = topicArn.split(":");
  return [arn, partition, "sqs", region, account, name].join(":");
}

function missing(what: string, command: string): PubSubError {
  return new PubSubError("not_found", `${what}, and disableEntityManagement is set: make it with: ${command}`, { permanent: true });
}

async function find<T>(all: AsyncGenerator<T>, wanted: (one: T) => boolean): Promise<T | undefined> {
  for await (const one of all) if (wanted(one)) return one;
  return undefined;
}

function lastOf(arn: string): string {
  return arn.slice(arn.lastIndexOf(":") + 1);
}
