import { beforeEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { snsSqsOptions } from "./config.ts";
import type { Reader } from "./consume.ts";
import { Entities } from "./entities.ts";
import { Lookout } from "./lookout.ts";
import { PlayedAws, queueArn, topicArn } from "./played-aws.fixture.ts";
import { PlayedReader } from "./reader.fixture.ts";

const MINUTE_MS = 60_000;
const READ = { topic: "t", group: "g" };
const RETAINING = { topic: "t", group: "later" };
const LOOK = `ListSubscriptionsByTopic ${topicArn("t")}`;

let aws: PlayedAws;
let clock: SteppedClock;
let entities: Entities;
let readers: Set<Reader>;
let lookout: Lookout;
beforeEach(async () => {
  aws = new PlayedAws();
  clock = new SteppedClock();
  entities = new Entities(aws.client, snsSqsOptions.parse({ createWait: 0 }), clock);
  readers = new Set();
  lookout = new Lookout(entities, readers, clock);
  await entities.topic("t");
  for (const request of [READ, RETAINING]) await entities.group(request);
});

const looks = () => aws.calls.filter((call) => call === LOOK).length;

test("once a minute each topic is asked for its subscriptions, by one call for all groups; what is gone is made again", async () => {
  lookout.start();
  lookout.start();
  clock.advance(MINUTE_MS - 1);
  expect(looks()).toBe(0);
  clock.advance(1);
  await expect.poll(() => clock.timers).toBe(1);
  expect(looks()).toBe(1);
  aws.remake("t");
  clock.advance(MINUTE_MS);
  await expect.poll(() => clock.timers).toBe(1);
  expect(aws.queuesOf("t")).toEqual(["t--g", "t--later"]);
  lookout.stop();
  expect(clock.timers).toBe(0);
});

test("a reader is told how its queue is filled now", async () => {
  const { reader } = new PlayedReader({}, () => entities.group(READ));
  readers.add(reader);
  await lookout.look("t");
  expect(reader.raw).toBe(true);
  aws.remake("t");
  aws.subscribe(topicArn("t"), "sqs", queueArn("t--g"));
  await lookout.look("t");
  expect(reader.raw).toBe(false);
});

test("a reader whose queue cannot be subscribed again dies of it, and nothing is published", async () => {
  const { reader } = new PlayedReader({}, () => entities.group(READ));
  readers.add(reader);
  aws.remake("t");
  aws.failing.set(`Subscribe ${queueArn("t--g")}`, "AuthorizationErrorException");
  await lookout.look("t");
  expect(await reader.closed).toMatchObject({ code: "permission_denied", permanent: true });
  await expect(entities.publishable("t")).rejects.toMatchObject({ code: "permission_denied" });
  expect(aws.queuesOf("t")).toEqual(["t--later"]);
});

test("what fails for a while is tried again; that SNS cannot be asked says nothing of the subscriptions", async () => {
  aws.failing.set(LOOK, "ThrottledException");
  await lookout.look("t");
  expect(entities.ready("t")).toBe(topicArn("t"));
  aws.failing.clear();
  aws.remake("t");
  aws.failing.set(`Subscribe ${queueArn("t--later")}`, "ThrottledException");
  await lookout.look("t");
  expect(aws.queuesOf("t")).toEqual(["t--g"]);
  aws.failing.clear();
  await lookout.look("t");
  expect(aws.queuesOf("t")).toEqual(["t--g", "t--later"]);
});

test("a group that was left is not made again, and is looked up when it is read again", async () => {
  entities.leave(READ);
  aws.remake("t");
  await lookout.look("t");
  expect(aws.queuesOf("t")).toEqual(["t--later"]);
  await entities.group(READ);
  expect(aws.queuesOf("t")).toEqual(["t--later", "t--g"]);
});
