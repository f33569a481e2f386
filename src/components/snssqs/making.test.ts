import { beforeEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { snsSqsOptions } from "./config.ts";
import { Directory } from "./directory.ts";
import { Making } from "./making.ts";
import { PlayedAws, queueArn, topicArn } from "./played-aws.fixture.ts";

const DENIED = { code: "permission_denied", permanent: true };

let played: PlayedAws;
beforeEach(() => {
  played = new PlayedAws();
});

function makingOf(more: Readonly<Record<string, unknown>> = {}): Making {
  const options = snsSqsOptions.parse({ createWait: 0, ...more });
  return new Making(options, new Directory(options), new SteppedClock());
}

/** What Dapr, and Layotto in Go, ask for. */
const daprs = (Name: string, fifo: boolean) => ({
  Name,
  Tags: [{ Key: "dapr-topic-name", Value: Name }],
  ...(fifo && { Attributes: { FifoTopic: "true", ContentBasedDeduplication: "true" } }),
});

test.each([
  ["orders", false],
  ["orders.fifo", true],
])("a topic that was made here can be used by Dapr: %s", async (name, fifo) => {
  expect(await makingOf({ fifo }).topic(await played.client(), "orders")).toBe(topicArn(name));
  expect(played.sns.createTopic(daprs(name, fifo))).toEqual({ TopicArn: topicArn(name) });
});

test.each([
  ["as Dapr makes it", daprs("orders.fifo", true)],
  ["as it was made here before", { Name: "orders.fifo", Attributes: { FifoTopic: "true", ContentBasedDeduplication: "false" } }],
])("a topic that is there is used as it is: %s", async (_, input) => {
  played.sns.createTopic(input);
  const before = played.shapes.get(topicArn("orders.fifo"));
  expect(await makingOf({ fifo: true }).topic(await played.client(), "orders")).toBe(topicArn("orders.fifo"));
  expect(played.shapes.get(topicArn("orders.fifo"))).toBe(before);
});

test("who may not tag makes topics without that of Dapr, and none whose name only a tag tells", async () => {
  played.mayTag = false;
  const aws = await played.client();
  expect(await makingOf().topic(aws, "orders")).toBe(topicArn("orders"));
  played.topics.clear();
  played.sns.createTopic({ Name: "orders.fifo", Attributes: { FifoTopic: "true", ContentBasedDeduplication: "false" } });
  expect(await makingOf({ fifo: true }).topic(aws, "orders")).toBe(topicArn("orders.fifo"));
  await expect(makingOf().topic(aws, "a.b")).rejects.toMatchObject(DENIED);
});

test("what SNS does not take as a subscription is told as SNS said it, where nothing is subscribed yet", async () => {
  const aws = await played.client();
  await makingOf().topic(aws, "t");
  played.failing.set(`Subscribe ${queueArn("q")}`, "InvalidParameterException");
  const subscribing = makingOf().subscription(aws, topicArn("t"), queueArn("q"), { topic: "t", group: "g" });
  await expect(subscribing).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.not.stringContaining("disableEntityManagement"),
  });
});
