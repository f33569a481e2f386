import { beforeEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { snsSqsOptions } from "./config.ts";
import { Entities } from "./entities.ts";
import { Lookout } from "./lookout.ts";
import { PlayedAws, queueArn, topicArn } from "./played-aws.fixture.ts";
import { policyFor } from "./queue-attributes.ts";
import { PlayedReader } from "./reader.fixture.ts";

const GROUP = { topic: "t", group: "g" };
const OTHER = { topic: "t", group: "other" };
const POLICY = policyFor(queueArn("t--g"), topicArn("t"));
const REFUSED = { code: "failed_precondition", permanent: true };
const DENY = JSON.stringify({ Statement: [{ Effect: "Deny", Principal: "*", Action: "sqs:*", Resource: "*" }] });
const REDRIVE = '{"maxReceiveCount":3}';
const patience = AbortSignal.timeout(60_000);

let aws: PlayedAws;
let entities: Entities;
beforeEach(() => {
  aws = new PlayedAws();
  entities = entitiesWith({});
});

function entitiesWith(options: Readonly<Record<string, unknown>>): Entities {
  return new Entities(aws.client, snsSqsOptions.parse({ createWait: 0, ...options }), new SteppedClock());
}

const found = () => entities.findings.map(({ id }) => id);
const asked = (name: string) => aws.calls.filter((call) => call === `GetQueueAttributes ${name}`).length;

const UNWRITABLE: readonly [what: string, attributes: Record<string, string>, id: string, remedy: RegExp][] = [
  ["a key that only SQS can use", { KmsMasterKeyId: "alias/aws/sqs" }, "snssqs.kms-key", /SqsManagedSseEnabled=true/],
  ["its ARN", { KmsMasterKeyId: "arn:aws:kms:us-east-1:123456789012:alias/aws/sqs" }, "snssqs.kms-key", /SqsManagedSseEnabled=true/],
  ["a policy that lets nobody in", { Policy: DENY }, "snssqs.queue-policy", /"aws:SourceArn":"arn:aws:sns:us-east-1:123456789012:t"/],
];

test.each(UNWRITABLE)(
  "a queue that SNS cannot write to is refused with the remedy, and stays as it is: %s",
  async (_, more, id, remedy) => {
    const attributes = { Policy: POLICY, ...more };
    aws.queues.set("t--g", attributes);
    for (const options of [{}, { allowRedrive: true }]) {
      entities = entitiesWith(options);
      await expect(entities.group(GROUP)).rejects.toMatchObject({ ...REFUSED, message: expect.stringMatching(remedy) });
      expect(entities.findings).toMatchObject([
        { id, level: "warn", found: expect.stringContaining("It is not read."), remedy: expect.stringMatching(remedy) },
      ]);
    }
    expect(aws.queues.get("t--g")).toEqual(attributes);
    expect(aws.queuesOf("t")).toEqual([]);
  },
);

test.each(UNWRITABLE)("who names a queue reads it, whoever fills it: %s", async (_, more) => {
  aws.queues.set("theirs", { Policy: POLICY, ...more });
  expect(await entities.named("theirs", "none")).toMatchObject({ url: "https://sqs/theirs" });
  expect(found()).toEqual([]);
});

const WARNED: readonly [what: string, attributes: Record<string, string>, ids: readonly string[]][] = [
  ["a key of one's own", { KmsMasterKeyId: "alias/mine" }, ["snssqs.kms-key"]],
  ["a topic whose name begins the same", { Policy: POLICY.replaceAll(topicArn("t"), topicArn("t-v2")) }, ["snssqs.queue-policy"]],
  ["a policy that cannot be read", { Policy: "?" }, ["snssqs.queue-policy"]],
  ["nothing of the kind", {}, []],
];

test.each(WARNED)("a queue that SNS may be unable to write to is read, and that is told: %s", async (_, more, ids) => {
  aws.queues.set("t--g", { Policy: POLICY, ...more });
  await entities.group(GROUP);
  expect(found()).toEqual(ids);
});

test("a queue that is named must be FIFO where an order is promised", async () => {
  const fifo = entitiesWith({ fifo: true });
  aws.queues.set("standard", { QueueArn: queueArn("standard") });
  aws.queues.set("dead.fifo", { QueueArn: queueArn("dead.fifo"), FifoQueue: "true" });
  for (const order of ["none", "key"] as const) {
    await expect(fifo.named("standard", order)).rejects.toMatchObject({ ...REFUSED, message: expect.stringContaining("not FIFO") });
    expect(await fifo.named("dead.fifo", order)).toMatchObject({ arn: queueArn("dead.fifo") });
  }
  await expect(entities.named("standard", "key")).rejects.toMatchObject(REFUSED);
  expect(await entities.named("standard", "none")).toMatchObject({ arn: queueArn("standard") });
});

test("each inspection asks every queue once, and tells what its owner has changed", async () => {
  for (const request of [GROUP, OTHER]) await entities.group(request);
  expect(found()).toEqual([]);
  const before = [asked("t--g"), asked("t--other")];
  aws.set("t--g", { KmsMasterKeyId: "alias/mine", MessageRetentionPeriod: "3600" });
  await entities.inspect(patience);
  expect(found()).toEqual(["snssqs.retention", "snssqs.kms-key"]);
  expect(entities.retentionMs).toBe(3_600_000);
  expect([asked("t--g"), asked("t--other")]).toEqual(before.map((times) => times + 1));
  aws.set("t--g", { KmsMasterKeyId: "", MessageRetentionPeriod: "1209600" });
  await entities.inspect(patience);
  expect(found()).toEqual([]);
});

test("what one queue does not tell stays as it was, and keeps nothing from the others", async () => {
  for (const request of [GROUP, OTHER]) await entities.group(request);
  for (const name of ["t--g", "t--other"]) aws.set(name, { KmsMasterKeyId: "alias/mine" });
  await entities.inspect(patience);
  for (const name of ["t--g", "t--other"]) aws.set(name, { KmsMasterKeyId: "" });
  for (const failure of ["RequestThrottled", "AccessDenied"]) {
    aws.failing.set("GetQueueAttributes t--g", failure);
    await entities.inspect(patience);
    expect(found()).toEqual(["snssqs.kms-key"]);
    expect(entities.knows(GROUP)).toBe(true);
  }
});

test("the queue of a group that nobody reads is made again when it is gone: its subscription alone keeps nothing", async () => {
  for (const request of [GROUP, OTHER]) await entities.group(request);
  aws.queues.delete("t--g");
  await entities.inspect(patience);
  expect([aws.queues.has("t--g"), entities.knows(GROUP), aws.queuesOf("t")]).toEqual([true, true, ["t--g", "t--other"]]);
  aws.queues.delete("t--g");
  entities.leave(GROUP);
  await entities.inspect(patience);
  expect(aws.queues.has("t--g")).toBe(false);
});

const CHANGES: readonly [what: string, attributes: Record<string, string>, id: string][] = [
  ["a redrive policy", { RedrivePolicy: REDRIVE }, "snssqs.redrive-policy"],
  ["a key that only SQS can use", { KmsMasterKeyId: "alias/aws/sqs" }, "snssqs.kms-key"],
  ["a policy that lets nobody in", { Policy: DENY }, "snssqs.queue-policy"],
];

test.each(CHANGES)(
  "a queue that gets %s is not read on, its topic is published to, and once mended it is as before",
  async (_, change, id) => {
    const clock = new SteppedClock();
    for (const request of [GROUP, OTHER]) await entities.group(request);
    await entities.topic("t");
    const { reader } = new PlayedReader({}, () => entities.group(GROUP));
    const lookout = new Lookout(entities, new Set([reader]), clock);
    aws.set("t--g", change);
    await entities.inspect(patience);
    expect(found()).toEqual([id]);
    expect([entities.knows(GROUP), entities.knows(OTHER)]).toEqual([false, true]);
    await lookout.look("t");
    expect(await reader.closed).toMatchObject({ ...REFUSED, message: expect.stringContaining("It is not read.") });
    expect(entities.ready("t")).toBe(topicArn("t"));
    await entities.inspect(patience);
    expect(found()).toEqual([id]);
    // Nobody reads it, and nobody asks for it again: it is known again all the same.
    aws.queues.set("t--g", { Policy: POLICY, MessageRetentionPeriod: "1209600" });
    await entities.inspect(patience);
    expect(found()).toEqual([]);
    expect(entities.knows(GROUP)).toBe(true);
  },
);

test("a queue that was refused from the start is not reported once it is mended, or gone", async () => {
  for (const mend of [() => aws.queues.set("t--g", { Policy: POLICY }), () => aws.queues.delete("t--g")]) {
    aws.queues.set("t--g", { Policy: POLICY, RedrivePolicy: REDRIVE });
    await expect(entities.group(GROUP)).rejects.toMatchObject(REFUSED);
    await entities.inspect(patience);
    expect(found()).toEqual(["snssqs.redrive-policy"]);
    mend();
    await entities.inspect(patience);
    expect(found()).toEqual([]);
  }
});

test("a policy that was taken away is given again", async () => {
  await entities.group(GROUP);
  aws.set("t--g", { Policy: "" });
  await entities.inspect(patience);
  expect(aws.queues.get("t--g")?.Policy).toBe(POLICY);
  expect(entities.knows(GROUP)).toBe(true);
});

test("a queue that lost its policy, and is not given one, is told of and keeps nobody else from anything", async () => {
  for (const request of [GROUP, OTHER]) await entities.group(request);
  await entities.topic("t");
  aws.set("t--g", { Policy: "" });
  aws.failing.set("SetQueueAttributes t--g", "AccessDenied");
  await entities.inspect(patience);
  expect(found()).toEqual(["snssqs.queue-policy"]);
  await entities.look("t");
  expect([entities.knows(GROUP), entities.knows(OTHER), entities.ready("t")]).toEqual([true, true, topicArn("t")]);
});

test.each(CHANGES)("a queue that got %s keeps no other group's topic from being found again", async (_, change, id) => {
  for (const request of [GROUP, OTHER]) await entities.group(request);
  await entities.topic("t");
  aws.set("t--g", change);
  await entities.inspect(patience);
  expect(found()).toEqual([id]);
  aws.remake("t");
  entities.forget("t");
  expect(await entities.topic("t")).toBe(topicArn("t"));
  // It is not read, but misses nothing: it may be mended.
  expect([...aws.queuesOf("t")].sort()).toEqual(["t--g", "t--other"]);
  expect([entities.knows(GROUP), entities.knows(OTHER)]).toEqual([false, true]);
});
