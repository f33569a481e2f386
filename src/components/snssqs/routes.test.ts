import { beforeEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { snsSqsOptions } from "./config.ts";
import { Entities } from "./entities.ts";
import { Lookout } from "./lookout.ts";
import { PlayedAws, queueArn, topicArn } from "./played-aws.fixture.ts";

const A = { topic: "t", group: "a" };
const B = { topic: "t", group: "b" };
const DELETED_RECENTLY = { code: "failed_precondition", permanent: false };

let aws: PlayedAws;
let clock: SteppedClock;
let entities: Entities;
beforeEach(() => {
  aws = new PlayedAws();
  clock = new SteppedClock();
  entities = new Entities(aws.client, snsSqsOptions.parse({ createWait: 0 }), clock);
});

/** All is deleted, and the queue of B cannot be made again yet. */
async function vanish(): Promise<void> {
  for (const group of [B, A]) await entities.group(group);
  aws.topics.clear();
  aws.queues.clear();
  aws.failing.set("CreateQueue t--b", "QueueDeletedRecently");
  entities.forget("t");
}

test("a topic that is made again is published to only once all its groups are there", async () => {
  await vanish();
  await expect(entities.publishable("t")).rejects.toMatchObject(DELETED_RECENTLY);
  expect(entities.ready("t")).toBeUndefined();
  expect(aws.queuesOf("t")).toEqual(["t--a"]);
  await expect(entities.publishable("t")).rejects.toMatchObject(DELETED_RECENTLY);
  aws.failing.clear();
  expect(await entities.publishable("t")).toBe(topicArn("t"));
  expect(aws.queuesOf("t")).toEqual(["t--a", "t--b"]);
  expect(entities.ready("t")).toBe(topicArn("t"));
});

test("a group is made again although another of its topic cannot be: then nothing is published yet", async () => {
  await vanish();
  expect(await entities.group(A)).toMatchObject({ url: "https://sqs/t--a" });
  expect(aws.queuesOf("t")).toEqual(["t--a"]);
  await expect(entities.publishable("t")).rejects.toMatchObject(DELETED_RECENTLY);
  aws.failing.clear();
  await entities.publishable("t");
  expect(aws.queuesOf("t")).toEqual(["t--a", "t--b"]);
});

const SUBSCRIBED: readonly [what: string, protocol: string, endpoint: string, isThere: boolean, answer?: string][] = [
  ["a person, by e-mail", "email", "someone@example.com", false],
  ["a function", "lambda", "arn:aws:lambda:us-east-1:123456789012:function:f", false],
  ["a queue that is gone", "sqs", queueArn("gone"), false],
  ["a queue", "sqs", queueArn("there"), true],
  ["a queue that we may not look at", "sqs", queueArn("hidden"), true, "AccessDeniedException"],
  ["a queue of another account", "sqs", "arn:aws:sqs:us-east-1:210987654321:theirs", true],
  ["a queue of another region", "sqs", "arn:aws:sqs:eu-west-1:123456789012:far", true],
];

test.each(SUBSCRIBED)("a topic that has %s: whether a queue gets it", async (_, protocol, endpoint, isThere, answer) => {
  aws.queues.set("there", {});
  if (answer !== undefined) aws.failing.set("GetQueueUrl hidden", answer);
  await entities.topic("t");
  aws.subscribe(topicArn("t"), protocol, endpoint);
  const published = entities.publishable("t");
  if (isThere) expect(await published).toBe(topicArn("t"));
  else await expect(published).rejects.toMatchObject({ code: "failed_precondition", permanent: true, outcome: "rejected" });
});

test("one queue among others is enough, and one that cannot be asked for now is no answer", async () => {
  await entities.topic("t");
  aws.queues.set("there", {});
  aws.subscribe(topicArn("t"), "email", "someone@example.com");
  aws.subscribe(topicArn("t"), "sqs", queueArn("gone"));
  aws.subscribe(topicArn("t"), "sqs", queueArn("there"));
  aws.failing.set("GetQueueUrl there", "ThrottlingException");
  await expect(entities.publishable("t")).rejects.toMatchObject({ code: "resource_exhausted", permanent: false });
  aws.failing.clear();
  expect(await entities.publishable("t")).toBe(topicArn("t"));
});

test.each(["ThrottledException", "InternalError"])(
  "a topic that had a queue is believed to have it while SNS does not tell: %s",
  async (failure) => {
    await entities.topic("t");
    await entities.group(A);
    const look = `ListSubscriptionsByTopic ${topicArn("t")}`;
    aws.failing.set(look, failure);
    clock.advance(61_000);
    expect(entities.ready("t")).toBeUndefined();
    expect(await entities.publishable("t")).toBe(topicArn("t"));
    await turn();
    clock.advance(9_000);
    expect(entities.ready("t")).toBe(topicArn("t"));
    aws.failing.clear();
    aws.remake("t");
    clock.advance(2_000);
    expect(await entities.publishable("t")).toBe(topicArn("t"));
    await turn();
    const none = { code: "failed_precondition", permanent: true };
    await expect(entities.publishable("t")).rejects.toMatchObject(none);
    // That is believed for a while, too: who goes on publishing does not go on asking.
    const asked = aws.calls.length;
    await expect(entities.publishable("t")).rejects.toMatchObject(none);
    expect(aws.calls).toHaveLength(asked);
    aws.failing.set(look, failure);
    clock.advance(6_000);
    await expect(entities.publishable("t")).rejects.toMatchObject({ permanent: false });
  },
);

test("while SNS does not answer what a topic's queues are, publishing goes on; it is asked once", async () => {
  await entities.topic("t");
  await entities.group(A);
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  aws.holding.set("ListSubscriptionsByTopic", answered);
  clock.advance(61_000);
  const asked = aws.calls.length;
  // Belief ends again, ten seconds each.
  for (let time = 0; time < 3; time++, clock.advance(10_000)) expect(await entities.publishable("t")).toBe(topicArn("t"));
  answer();
  await turn();
  expect(aws.calls.slice(asked)).toEqual([`ListSubscriptionsByTopic ${topicArn("t")}`, "GetQueueUrl t--a"]);
  clock.advance(59_000);
  expect(entities.ready("t")).toBe(topicArn("t"));
});

test.each(["NotFoundException", "AuthorizationErrorException"])(
  "a topic that had a queue is not believed to have it any more: %s",
  async (failure) => {
    await entities.topic("t");
    await entities.group(A);
    aws.failing.set(`ListSubscriptionsByTopic ${topicArn("t")}`, failure);
    clock.advance(61_000);
    expect(await entities.publishable("t")).toBe(topicArn("t"));
    await turn();
    expect(entities.ready("t")).toBeUndefined();
    if (failure.startsWith("Auth")) {
      await expect(entities.publishable("t")).rejects.toMatchObject({ code: "permission_denied" });
      return;
    }
    // It is made again, with its groups.
    aws.topics.clear();
    await entities.publishable("t");
    expect(aws.queuesOf("t")).toEqual(["t--a"]);
  },
);

test.each([
  [0, 48_000],
  [0.999_999, 72_000],
])("sidecars that started together ask at different times: %d", async (random, ms) => {
  clock = Object.assign(new SteppedClock(), { random: () => random });
  entities = new Entities(aws.client, snsSqsOptions.parse({ createWait: 0 }), clock);
  await entities.topic("t");
  await entities.group(A);
  const lookout = new Lookout(entities, new Set(), clock);
  lookout.start();
  clock.advance(ms - 10);
  expect([entities.ready("t"), clock.timers]).toEqual([topicArn("t"), 1]);
  clock.advance(10);
  expect([entities.ready("t"), clock.timers]).toEqual([undefined, 0]);
  lookout.stop();
});

test("a topic that is not there, and may not be made, is looked up once in five seconds by all who publish; who makes it waits for nothing", async () => {
  entities = new Entities(aws.client, snsSqsOptions.parse({ createWait: 0, disableEntityManagement: true }), clock);
  const missing = { code: "not_found", permanent: true, message: expect.stringContaining("aws sns create-topic --name t") };
  const published = async () => expect(entities.publishable("t")).rejects.toMatchObject(missing);
  await Promise.all([published(), published(), published()]);
  await published();
  expect(aws.calls).toEqual(["ListTopics"]);
  clock.advance(5_000);
  await published();
  expect(aws.calls).toEqual(["ListTopics", "ListTopics"]);
  aws.topics.set(topicArn("t"), []);
  aws.queues.set("q", {});
  aws.subscribe(topicArn("t"), "sqs", queueArn("q"));
  await entities.topic("t");
  expect(await entities.publishable("t")).toBe(topicArn("t"));
});

/** What was begun goes as far as it can without the clock. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
