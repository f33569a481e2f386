import assert from "node:assert/strict";
import { SNS } from "@aws-sdk/client-sns";
import { SQS } from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type AwsServer, startAws } from "../../../test/brokers/aws.ts";
import { withAws } from "../../../test/brokers/with.ts";
import { type Bench, textOf } from "../../conformance/bench.ts";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { benchOn, metadata, openSnsSqs } from "./bench.fixture.ts";
import { queueName } from "./names.ts";
import { policyFor } from "./queue-attributes.ts";

const START_MS = 300_000;
const TEST_MS = 60_000;
const ACCOUNT = { region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };

withAws("topics, queues and subscriptions", () => {
  let server: AwsServer;
  let sns: SNS;
  let sqs: SQS;
  let bench: Bench;
  beforeAll(async () => {
    server = await startAws();
    sns = new SNS({ endpoint: server.url, ...ACCOUNT });
    sqs = new SQS({ endpoint: server.url, ...ACCOUNT });
  }, START_MS);
  beforeEach(() => {
    bench = benchOn(metadata(server.url));
  });
  afterEach(() => bench.closeAll(), TEST_MS);
  afterAll(async () => {
    sns.destroy();
    sqs.destroy();
    await server.stop();
  });

  const queueOf = (topic: string, group = "group1") => queueName(topic, group, false).name;
  const attributesOf = async (name: string) => {
    const { QueueUrl } = await sqs.getQueueUrl({ QueueName: name });
    return (await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] })).Attributes ?? {};
  };
  const ensure = (pubsub: PubSub, topic: string, group = "group1") =>
    pubsub.ensure(topic, [bench.request({ topic, group })], bench.patience);

  test("a queue that is made keeps messages for 14 days, moves none away, and takes them from its topic alone", {
    timeout: TEST_MS,
  }, async () => {
    const pubsub = await bench.open();
    await bench.ensure(pubsub);
    const { MessageRetentionPeriod, RedrivePolicy, Policy = "" } = await attributesOf(queueOf(bench.topic));
    assert.equal(MessageRetentionPeriod, String(14 * 86_400));
    assert.equal(RedrivePolicy, undefined);
    const [statement] = JSON.parse(Policy).Statement;
    assert.deepEqual(statement.Principal, { Service: "sns.amazonaws.com" });
    assert.match(statement.Condition.ArnEquals["aws:SourceArn"], new RegExp(`:${bench.topic}$`));
    assert.deepEqual(await pubsub.inspect(bench.patience), []);
  });

  test("names that AWS does not take are mapped, come back in lists, and stand in tags", { timeout: TEST_MS }, async () => {
    const pubsub = await bench.open();
    const topic = `${bench.topic}/created.雪`;
    await ensure(pubsub, topic, "app.1");
    const found = await pubsub.admin?.topics?.(`${bench.topic}*`);
    assert.deepEqual(found, [topic]);
    assert.deepEqual(await pubsub.admin?.groups?.(topic), [{ group: "app.1", consumers: 0, pending: 0 }]);
    const { QueueUrl } = await sqs.getQueueUrl({ QueueName: queueOf(topic, "app.1") });
    const { Tags } = await sqs.listQueueTags({ QueueUrl });
    assert.equal(Tags?.["layotto-group"], "app_x2E_1");
    const long = bench.topic + "-long".repeat(60);
    await ensure(pubsub, long);
    assert.deepEqual(await pubsub.admin?.topics?.(`${bench.topic}-*`), [long]);
    assert.deepEqual(await pubsub.admin?.groups?.(long), [{ group: "group1", consumers: 0, pending: 0 }]);
    await pubsub.admin?.deleteGroup?.(long, "group1");
    assert.deepEqual(await pubsub.admin?.groups?.(long), []);
  });

  test("a queue with a redrive policy is refused with the remedy, and read when that is allowed", { timeout: TEST_MS }, async () => {
    const { QueueUrl: dead } = await sqs.createQueue({ QueueName: `${queueOf(bench.topic)}-dead` });
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl: dead, AttributeNames: ["QueueArn"] });
    const redrive = JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: "3" });
    await sqs.createQueue({ QueueName: queueOf(bench.topic), Attributes: { RedrivePolicy: redrive } });
    const pubsub = await bench.open();
    await expect(pubsub.subscribe(bench.request(), bench.recorder())).rejects.toMatchObject({
      code: "failed_precondition",
      permanent: true,
      message: expect.stringMatching(/redrive policy.*aws sqs set-queue-attributes.*deadLetterTopic/s),
    });
    const [finding] = await pubsub.inspect(bench.patience);
    assert.deepEqual([finding?.level, finding?.id], ["warn", "snssqs.redrive-policy"]);
    assert.match(finding?.found ?? "", /It is not read/);
    const { topic } = bench;
    const lenient = benchOn(metadata(server.url, { allowRedrive: true }));
    const other = await lenient.open();
    await other.ensure(topic, [lenient.request({ topic })], lenient.patience);
    assert.deepEqual(
      (await other.inspect(lenient.patience)).map(({ id, level }) => [id, level]),
      [
        ["snssqs.redrive-policy", "warn"],
        ["snssqs.retention", "warn"],
      ],
    );
    await lenient.closeAll();
  });

  test("a reader ends with the remedy when its queue gets a redrive policy, and can read again once that is gone", {
    timeout: TEST_MS,
  }, async () => {
    // What a reader's last call may still bring is nobody's for a lease.
    bench = benchOn(metadata(server.url, { messageVisibilityTimeout: 2 }));
    const pubsub = await bench.open();
    const { QueueUrl: dead } = await sqs.createQueue({ QueueName: `${queueOf(bench.topic)}-dead` });
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl: dead, AttributeNames: ["QueueArn"] });
    const own = await bench.read(pubsub);
    const named = await bench.read(pubsub, { group: "named", options: { queueName: queueOf(bench.topic) } });
    assert.deepEqual(await pubsub.inspect(bench.patience), []);
    const { QueueUrl } = await sqs.getQueueUrl({ QueueName: queueOf(bench.topic) });
    const redrive = JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: "3" });
    await sqs.setQueueAttributes({ QueueUrl, Attributes: { RedrivePolicy: redrive } });
    const found = await pubsub.inspect(bench.patience);
    assert.deepEqual(
      found.map(({ id }) => id),
      ["snssqs.redrive-policy"],
    );
    const ended = { code: "failed_precondition", permanent: true, message: expect.stringContaining("It is not read.") };
    for (const { subscription } of [own, named]) expect(await subscription.closed).toMatchObject(ended);
    await sqs.setQueueAttributes({ QueueUrl, Attributes: { RedrivePolicy: "" } });
    assert.deepEqual(await pubsub.inspect(bench.patience), []);
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    assert.equal(textOf(await reading.sink.one()), "a");
  });

  test("a queue that SNS cannot write to is refused: encrypted by a key of AWS, or with a policy that only forbids", {
    timeout: TEST_MS,
  }, async () => {
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        { Effect: "Deny", Principal: "*", Action: "sqs:*", Resource: "*", Condition: { Bool: { "aws:SecureTransport": "false" } } },
      ],
    });
    await sqs.createQueue({ QueueName: queueOf(bench.topic, "kms"), Attributes: { KmsMasterKeyId: "alias/aws/sqs" } });
    await sqs.createQueue({ QueueName: queueOf(bench.topic, "tls"), Attributes: { Policy } });
    const pubsub = await bench.open();
    for (const group of ["kms", "tls"]) {
      const refused = { code: "failed_precondition", permanent: true };
      await expect(pubsub.subscribe(bench.request({ group }), bench.recorder())).rejects.toMatchObject(refused);
    }
    const ids = (await pubsub.inspect(bench.patience)).map(({ id }) => id);
    assert.deepEqual(ids, ["snssqs.kms-key", "snssqs.queue-policy"]);
    assert.deepEqual(JSON.parse((await attributesOf(queueOf(bench.topic, "tls"))).Policy ?? ""), JSON.parse(Policy));
  });

  test("a dead-letter queue that SQS fills can be read as a group of the topic", { timeout: TEST_MS }, async () => {
    const dead = `${queueOf(bench.topic)}-dead`;
    const { QueueUrl: deadUrl } = await sqs.createQueue({ QueueName: dead });
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl: deadUrl, AttributeNames: ["QueueArn"] });
    const redrive = JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: "1" });
    await sqs.createQueue({ QueueName: queueOf(bench.topic), Attributes: { RedrivePolicy: redrive } });
    bench = Object.defineProperty(benchOn(metadata(server.url, { allowRedrive: true })), "topic", { value: bench.topic });
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    const [position] = await bench.publish(pubsub, { data: "a", attributes: { mykey: "v" } });
    (await reading.sink.one()).release();
    const rescued = await bench.read(pubsub, { group: "dead", options: { queueName: dead } });
    const delivery = await rescued.sink.one();
    assert.deepEqual([textOf(delivery), delivery.attributes.mykey, delivery.position], ["a", "v", position]);
    delivery.ack();
    await bench.flush(rescued);
    await expect(pubsub.subscribe(bench.request({ options: { queueName: "nowhere" } }), bench.recorder())).rejects.toMatchObject({
      code: "not_found",
      permanent: true,
    });
  });

  test("what is there stays as it is: its retention is told, and narrows what is claimed", { timeout: TEST_MS }, async () => {
    await sqs.createQueue({ QueueName: queueOf(bench.topic), Attributes: { MessageRetentionPeriod: "3600" }, tags: { owner: "them" } });
    const pubsub = await bench.open();
    await bench.ensure(pubsub);
    assert.equal((await attributesOf(queueOf(bench.topic))).MessageRetentionPeriod, "3600");
    assert.equal(pubsub.capabilities.retentionMs, 3_600_000);
    const [finding] = await pubsub.inspect(bench.patience);
    assert.equal(finding?.id, "snssqs.retention");
    assert.match(finding?.remedy ?? "", /aws sqs set-queue-attributes/);
  });

  test("a subscription that is there without raw delivery stays so, and is read all the same", { timeout: TEST_MS }, async () => {
    const { TopicArn } = await sns.createTopic({ Name: bench.topic });
    const { QueueUrl } = await sqs.createQueue({ QueueName: queueOf(bench.topic) });
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["QueueArn"] });
    await sqs.setQueueAttributes({ QueueUrl, Attributes: { Policy: policyFor(Attributes?.QueueArn ?? "", TopicArn ?? "") } });
    const { SubscriptionArn } = await sns.subscribe({
      TopicArn,
      Protocol: "sqs",
      Endpoint: Attributes?.QueueArn,
      ReturnSubscriptionArn: true,
    });
    bench = benchOn(metadata(server.url, { disableEntityManagement: true }));
    Object.defineProperty(bench, "topic", { value: TopicArn?.split(":").at(-1) });
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, { data: "a", attributes: { mykey: "v" } });
    const delivery = await reading.sink.one();
    assert.deepEqual([textOf(delivery), delivery.attributes.mykey], ["a", "v"]);
    const { Attributes: after } = await sns.getSubscriptionAttributes({ SubscriptionArn });
    assert.notEqual(after?.RawMessageDelivery, "true");
  });

  test("without entity management, what is missing is named with the command that makes it; what is there is used", {
    timeout: TEST_MS,
  }, async () => {
    const unmanaged = benchOn(metadata(server.url, { disableEntityManagement: true }));
    const pubsub = await unmanaged.open();
    const { topic } = bench;
    const request = bench.request();
    const missing = (command: RegExp) => ({ code: "not_found", permanent: true, message: expect.stringMatching(command) });
    await expect(pubsub.ensure(topic, [], bench.patience)).rejects.toMatchObject(missing(/aws sns create-topic --name /));
    await sns.createTopic({ Name: topic });
    const refused: unknown = await pubsub.ensure(topic, [request], bench.patience).catch((error: unknown) => error);
    expect(refused).toMatchObject(missing(/aws sqs create-queue --queue-name /));
    const { QueueUrl } = await sqs.createQueue({ QueueName: queueOf(topic) });
    await expect(pubsub.ensure(topic, [request], bench.patience)).rejects.toMatchObject(
      missing(/aws sqs set-queue-attributes --queue-url /),
    );
    await sqs.deleteQueue({ QueueUrl });
    const [, attributes = ""] = /--attributes '(.*)'/.exec(String(refused)) ?? [];
    await sqs.createQueue({ QueueName: queueOf(topic), Attributes: JSON.parse(attributes) as Record<string, string> });
    await expect(pubsub.ensure(topic, [request], bench.patience)).rejects.toMatchObject(missing(/aws sns subscribe --topic-arn arn:/));
    await bench.ensure(await bench.open());
    await pubsub.ensure(topic, [request], bench.patience);
    await unmanaged.closeAll();
  });

  test("a topic that another program deleted and made again has its groups again within a minute, but for those that were left", {
    timeout: TEST_MS,
  }, async () => {
    const clock = new SteppedClock();
    const pubsub = openSnsSqs(metadata(server.url), clock);
    const { topic } = bench;
    const left = await pubsub.subscribe(bench.request({ group: "left" }), bench.recorder());
    await left.close(bench.patience);
    await ensure(pubsub, topic);
    const { TopicArn } = await sns.createTopic({ Name: topic });
    await sns.deleteTopic({ TopicArn });
    await sns.createTopic({ Name: topic });
    const subscribed = async () => (await sns.listSubscriptionsByTopic({ TopicArn })).Subscriptions?.map(({ Endpoint }) => Endpoint);
    assert.deepEqual(await subscribed(), []);
    clock.advance(60_000);
    await expect.poll(subscribed, { timeout: TEST_MS / 2 }).toEqual([expect.stringContaining(queueOf(topic))]);
    await pubsub.close(bench.patience);
  });

  test("when all is gone, a reader brings its topic back with the groups that nobody reads yet", { timeout: TEST_MS }, async () => {
    const pubsub = await bench.open();
    await bench.read(pubsub);
    await ensure(pubsub, bench.topic, "later");
    const { TopicArn } = await sns.createTopic({ Name: bench.topic });
    await server.reset();
    const subscribed = async () => (await sns.listSubscriptionsByTopic({ TopicArn })).Subscriptions?.map(({ Endpoint }) => Endpoint);
    const both = ["group1", "later"].map((group) => expect.stringContaining(queueOf(bench.topic, group)));
    await expect.poll(subscribed, { timeout: TEST_MS / 3 }).toEqual(both);
  });

  test("a role is assumed", { timeout: TEST_MS }, async () => {
    bench = benchOn(metadata(server.url, { assumeRoleArn: "arn:aws:iam::123456789012:role/publisher" }));
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    assert.equal(textOf(await reading.sink.one()), "a");
  });
});
