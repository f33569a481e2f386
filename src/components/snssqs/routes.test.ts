import { beforeEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { snsSqsOptions } from "./config.ts";
import { Entities } from "./entities.ts";
import { PlayedAws, topicArn } from "./played-aws.fixture.ts";

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
