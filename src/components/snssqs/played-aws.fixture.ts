import type { Aws } from "./client.ts";
import { awsError } from "./errors.ts";

const PLACE = "us-east-1:123456789012";
type Attributes = Readonly<Record<string, string>>;
interface Shape {
  readonly Attributes?: Attributes;
  readonly Tags?: readonly { readonly Key: string; readonly Value: string }[];
}
interface Subscribed {
  readonly SubscriptionArn: string;
  readonly Protocol: string;
  readonly Endpoint: string;
  readonly raw: boolean;
}

/** SNS and SQS as far as topics, queues and subscriptions go. */
export class PlayedAws {
  /** Subscriptions of each topic, by its ARN. */
  readonly topics = new Map<string, Subscribed[]>();
  /** Attributes of each queue, by its name. */
  readonly queues = new Map<string, Attributes>();
  /** What the next calls of an action and a name fail with: `CreateQueue t--g` is not done, and answers so. */
  readonly failing = new Map<string, string>();
  /** Actions that wait for these before they are done. */
  readonly holding = new Map<string, Promise<unknown>>();
  /** Who may not tag makes nothing with tags. */
  mayTag = true;
  /** What each topic was made with, by its ARN. */
  readonly shapes = new Map<string, Shape>();
  /** Every call that was made: action and name. */
  readonly calls: string[] = [];
  #subscribed = 0;

  readonly client = (): Promise<Aws> => Promise.resolve(this as unknown as Aws);

  readonly sns = {
    createTopic: ({ Name, Attributes = {}, Tags = [] }: Shape & { Name: string }) => {
      this.#called("CreateTopic", Name);
      if (Tags.length > 0 && !this.mayTag) throw answer("AuthorizationErrorException");
      const TopicArn = topicArn(Name);
      const shape = this.topics.has(TopicArn) ? this.shapes.get(TopicArn) : undefined;
      if (shape && isDifferent(shape, { Attributes, Tags })) throw answer("InvalidParameterException");
      if (!this.topics.has(TopicArn)) {
        this.topics.set(TopicArn, []);
        this.shapes.set(TopicArn, { Attributes, Tags });
      }
      return { TopicArn };
    },
    listTopics: () => {
      this.calls.push("ListTopics");
      return { Topics: [...this.topics.keys()].map((TopicArn) => ({ TopicArn })) };
    },
    subscribe: ({ TopicArn, Protocol, Endpoint }: { TopicArn: string; Protocol: string; Endpoint: string }) => {
      this.#called("Subscribe", Endpoint);
      return { SubscriptionArn: this.subscribe(TopicArn, Protocol, Endpoint, true) };
    },
    listSubscriptionsByTopic: ({ TopicArn }: { TopicArn: string }) => {
      this.#called("ListSubscriptionsByTopic", TopicArn);
      return { Subscriptions: this.#of(TopicArn) };
    },
    getSubscriptionAttributes: ({ SubscriptionArn }: { SubscriptionArn: string }) => {
      const found = [...this.topics.values()].flat().find((one) => one.SubscriptionArn === SubscriptionArn);
      if (!found) throw answer("NotFoundException");
      return { Attributes: { RawMessageDelivery: String(found.raw) } };
    },
  };

  readonly sqs = {
    getQueueUrl: ({ QueueName }: { QueueName: string }) => {
      this.#called("GetQueueUrl", QueueName);
      if (!this.queues.has(QueueName)) throw answer("QueueDoesNotExist");
      return { QueueUrl: `https://sqs/${QueueName}` };
    },
    createQueue: ({ QueueName, Attributes }: { QueueName: string; Attributes: Attributes }) => {
      this.#called("CreateQueue", QueueName);
      this.queues.set(QueueName, Attributes);
      return { QueueUrl: `https://sqs/${QueueName}` };
    },
    getQueueAttributes: ({ QueueUrl }: { QueueUrl: string }) => {
      const name = nameOf(QueueUrl);
      this.#called("GetQueueAttributes", name);
      const attributes = this.queues.get(name);
      if (!attributes) throw answer("QueueDoesNotExist");
      return { Attributes: attributes };
    },
    setQueueAttributes: ({ QueueUrl, Attributes }: { QueueUrl: string; Attributes: Attributes }) => {
      this.#called("SetQueueAttributes", nameOf(QueueUrl));
      this.set(nameOf(QueueUrl), Attributes);
      return {};
    },
  };

  async call<T>(doing: string, send: (options: object) => T): Promise<T> {
    await this.holding.get(doing);
    try {
      return send({});
    } catch (error) {
      throw awsError(doing, error);
    }
  }

  /** As another program would. */
  subscribe(TopicArn: string, Protocol: string, Endpoint: string, raw = false): string {
    const subscriptions = this.#of(TopicArn);
    const found = subscriptions.find((one) => one.Endpoint === Endpoint);
    if (found) return found.SubscriptionArn;
    const SubscriptionArn = `${TopicArn}:${++this.#subscribed}`;
    subscriptions.push({ SubscriptionArn, Protocol, Endpoint, raw });
    return SubscriptionArn;
  }

  /** As its owner would. */
  set(queue: string, attributes: Attributes): void {
    this.queues.set(queue, { ...this.queues.get(queue), ...attributes });
  }

  /** Another program deletes the topic, and makes it again: it has the same ARN, and nobody is subscribed to it. */
  remake(topic: string): void {
    this.topics.set(topicArn(topic), []);
  }

  /** The queues that get what is published to a topic. */
  queuesOf(topic: string): readonly string[] {
    return (this.topics.get(topicArn(topic)) ?? []).map(({ Endpoint }) => Endpoint.split(":").at(-1) ?? "");
  }

  #of(TopicArn: string): Subscribed[] {
    const found = this.topics.get(TopicArn);
    if (!found) throw answer("NotFoundException");
    return found;
  }

  #called(action: string, name: string): void {
    const call = `${action} ${name}`;
    this.calls.push(call);
    const failing = this.failing.get(call);
    if (failing !== undefined) throw answer(failing);
  }
}

export const topicArn = (name: string): string => `arn:aws:sns:${PLACE}:${name}`;
export const queueArn = (name: string): string => `arn:aws:sqs:${PLACE}:${name}`;

/** What is asked for is not as it was made. What is not asked for may be any. */
function isDifferent(made: Shape, { Attributes = {}, Tags = [] }: Shape): boolean {
  const tags = new Map(made.Tags?.map(({ Key, Value }) => [Key, Value]));
  return (
    Object.entries(Attributes).some(([name, value]) => made.Attributes?.[name] !== value) ||
    Tags.some(({ Key, Value }) => tags.get(Key) !== Value)
  );
}

const nameOf = (queueUrl: string): string => queueUrl.slice("https://sqs/".length);

const answer = (name: string): Error => Object.assign(new Error("played"), { name, $fault: "client" as const });
