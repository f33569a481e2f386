import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError } from "../../pubsub/error.ts";
import type { SubscribeRequest } from "../../pubsub/subscription.ts";
import type { Aws } from "./client.ts";
import type { SnsSqsOptions } from "./config.ts";
import type { Attributes, Directory } from "./directory.ts";
import { isDifferent } from "./errors.ts";
import { type AwsName, encodeName, topicName } from "./names.ts";
import { policyFor, queueAttributes } from "./queue-attributes.ts";
import { DAPR_TOPIC_TAG, GROUP_TAG, TOPIC_TAG, tagsOf } from "./tags.ts";

type Request = Pick<SubscribeRequest, "topic" | "group">;

const WAIT_MS = 10_000;

/** Finds topics, queues and the subscriptions between them, or makes them, unless `disableEntityManagement`. What is there is never changed. */
export class Making {
  readonly #options: SnsSqsOptions;
  readonly #directory: Directory;
  readonly #clock: Clock;

  constructor(options: SnsSqsOptions, directory: Directory, clock: Clock) {
    this.#options = options;
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Its ARN. */
  topic(aws: Aws, topic: string): Promise<string> {
    const named = topicName(topic, this.#options.fifo);
    return this.#options.disableEntityManagement ? this.#directory.topic(aws, named.name, topic) : this.#makeTopic(aws, named, topic);
  }

  /** `made`: it was not there, and must be given some time before it is relied upon. */
  async queue(aws: Aws, named: AwsName, arn: string, topicArn: string, request: Request): Promise<{ url: string; made: boolean }> {
    const found = await this.#directory.queueUrl(aws, named.name);
    if (found !== undefined) return { url: found, made: false };
    if (this.#options.disableEntityManagement) throw this.#directory.missingQueue(named.name, arn, topicArn, request);
    return { url: await this.#makeQueue(aws, named, arn, topicArn, request), made: true };
  }

  /** Gives a queue without a policy one that lets SNS put the topic's messages there. */
  async allow(aws: Aws, QueueUrl: string, arn: string, topicArn: string): Promise<void> {
    const input = { QueueUrl, Attributes: { Policy: policyFor(arn, topicArn) } };
    await aws.call("SetQueueAttributes", (options) => aws.sqs.setQueueAttributes(input, options));
  }

  async subscription(aws: Aws, topicArn: string, arn: string, request: Request): Promise<{ arn: string; attributes: Attributes }> {
    const found = this.#options.disableEntityManagement
      ? await this.#directory.subscription(aws, topicArn, arn)
      : await this.#subscribe(aws, topicArn, arn);
    if (found === undefined) throw this.#directory.missingSubscription(topicArn, arn, request);
    return { arn: found, attributes: await this.#directory.subscriptionAttributes(aws, found) };
  }

  /** What was made or allowed just now is so for everybody. */
  settled(): Promise<void> {
    const { createWait } = this.#options;
    if (createWait === 0) return Promise.resolve();
    return new Promise((resolve) => this.#clock.after(Math.min(createWait, WAIT_MS), resolve));
  }

  async #makeTopic(aws: Aws, { name, hashed }: AwsName, topic: string): Promise<string> {
    const own = hashed || encodeName(topic) !== topic ? tagsOf(TOPIC_TAG, topic) : {};
    const attributes = this.#options.fifo ? { FifoTopic: "true", ContentBasedDeduplication: "true" } : undefined;
    const make = async (Attributes: Attributes | undefined, tags: Readonly<Record<string, string>>): Promise<string> => {
      const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
      const input = { Name: name, ...(Attributes && { Attributes }), ...(Tags.length > 0 && { Tags }) };
      return (await aws.call("CreateTopic", (options) => aws.sns.createTopic(input, options))).TopicArn ?? "";
    };
    try {
      return await make(attributes, { ...own, [DAPR_TOPIC_TAG]: name });
    } catch (thrown) {
      let error = asPubSubError(thrown);
      if (error.code === "permission_denied") {
        // It may be the tag that is not allowed.
        const made = await make(attributes, own).catch(asPubSubError);
        if (typeof made === "string") return made;
        error = made;
      }
      // There is one, with other tags or attributes: it stays as it is.
      if (!isDifferent(error)) throw error;
      return make(attributes && { FifoTopic: attributes.FifoTopic }, {});
    }
  }

  async #makeQueue(aws: Aws, { name, hashed }: AwsName, arn: string, topicArn: string, { topic, group }: Request): Promise<string> {
    const Attributes = queueAttributes(this.#options, arn, topicArn);
    const mapped = hashed || encodeName(topic) !== topic || encodeName(group) !== group;
    const tags = mapped ? { ...tagsOf(TOPIC_TAG, topic), ...tagsOf(GROUP_TAG, group) } : undefined;
    const input = { QueueName: name, Attributes, ...(tags && { tags }) };
    try {
      const { QueueUrl = "" } = await aws.call("CreateQueue", (options) => aws.sqs.createQueue(input, options));
      return QueueUrl;
    } catch (error) {
      // Another sidecar was faster.
      const url = isDifferent(asPubSubError(error)) ? await this.#directory.queueUrl(aws, name) : undefined;
      if (url === undefined) throw error;
      return url;
    }
  }

  async #subscribe(aws: Aws, TopicArn: string, Endpoint: string): Promise<string | undefined> {
    const Attributes = { RawMessageDelivery: "true" };
    const input = { TopicArn, Protocol: "sqs", Endpoint, Attributes, ReturnSubscriptionArn: true };
    try {
      const { SubscriptionArn } = await aws.call("Subscribe", (options) => aws.sns.subscribe(input, options));
      return SubscriptionArn;
    } catch (error) {
      // There is one, with other attributes: it stays as it is. Else the error is of something else.
      const found = isDifferent(asPubSubError(error)) ? await this.#directory.subscription(aws, TopicArn, Endpoint) : undefined;
      if (found === undefined) throw error;
      return found;
    }
  }
}
