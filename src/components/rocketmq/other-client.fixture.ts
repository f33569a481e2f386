import { Producer, SimpleConsumer } from "rocketmq-client-nodejs";

/** A message as RocketMQ's own client shows it. */
export interface TheirMessage {
  readonly body: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly tag: string | undefined;
  readonly keys: readonly string[];
  readonly group: string | undefined;
}

export interface TheirOptions {
  readonly endpoints: string;
  readonly accessKey: string;
  readonly accessSecret: string;
}

const nothing = (): void => undefined;
const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing, close: nothing, write: nothing };

const common = ({ endpoints, accessKey, accessSecret }: TheirOptions) => ({
  endpoints,
  namespace: "",
  sessionCredentials: { accessKey, accessSecret },
  // biome-ignore lint/suspicious/noExplicitAny: it wants its own logger's type, of which it uses these.
  logger: quiet as any,
  requestTimeout: 10_000,
});

/** Publishes one message with RocketMQ's own client. */
export async function theyPublish(
  options: TheirOptions,
  topic: string,
  body: string,
  properties: ReadonlyMap<string, string>,
): Promise<void> {
  const producer = new Producer({ ...common(options), topics: [topic] });
  await producer.startup();
  try {
    await producer.send({ topic, tag: "theirs", keys: ["k1", "k2"], properties: new Map(properties), body: Buffer.from(body) });
  } finally {
    await producer.shutdown();
  }
}

/** Receives so many messages with RocketMQ's own client, and acknowledges them. */
export async function theyReceive(
  options: TheirOptions,
  topic: string,
  consumerGroup: string,
  count: number,
): Promise<readonly TheirMessage[]> {
  const consumer = new SimpleConsumer({ ...common(options), consumerGroup, subscriptions: new Map([[topic, "*"]]), awaitDuration: 5_000 });
  await consumer.startup();
  try {
    const got: TheirMessage[] = [];
    while (got.length < count) {
      // It rejects when there is nothing yet; the test's own time limit ends this.
      const messages = await consumer.receive(8, 10_000).catch(() => []);
      for (const message of messages) {
        got.push({
          body: message.body.toString(),
          properties: Object.fromEntries(message.properties),
          tag: message.tag,
          keys: message.keys,
          group: message.messageGroup,
        });
        await consumer.ack(message);
      }
    }
    return got;
  } finally {
    await consumer.shutdown();
  }
}
