import { expect, test } from "vitest";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Aws } from "./client.ts";
import { snsSqsOptions } from "./config.ts";
import { Entities } from "./entities.ts";
import { MOST_BYTES } from "./limits.ts";
import { Publisher } from "./publish.ts";

type Entry = Parameters<Aws["publish"]>[1][number];
type Answer = Awaited<ReturnType<Aws["publish"]>>;

/** A publisher whose SNS is played: `answer` says what becomes of each call. */
function played(answer: (entries: readonly Entry[]) => Partial<Answer>, fifo = true) {
  const calls: (readonly Entry[])[] = [];
  const sns = {
    createTopic: () => Promise.resolve({ TopicArn: "arn:aws:sns:us-east-1:123456789012:t" }),
  };
  const aws = {
    sns,
    call: (_: string, send: (options: object) => Promise<unknown>) => send({}),
    publish(_: string, entries: readonly Entry[]) {
      calls.push(entries);
      return Promise.resolve(answer(entries));
    },
  } as unknown as Aws;
  const options = snsSqsOptions.parse({ fifo, onUnroutable: "accept" });
  const client = () => Promise.resolve(aws);
  let last = 0;
  const publisher = new Publisher(client, new Entities(client, options, systemClock), options, () => `p${++last}`);
  return { calls, publisher };
}

const all = (entries: readonly Entry[]) => ({ Successful: entries.map(({ Id }) => ({ Id, MessageId: "m", SequenceNumber: undefined })) });

function published(publisher: Publisher, messages: readonly (Pick<Outgoing, "key"> & { readonly data: string })[]) {
  const results = messages.map(() => Promise.withResolvers<PubSubError | undefined>());
  const batch = messages.map(({ data, ...more }, index) => ({
    topic: "t",
    data: Buffer.from(data),
    attributes: {},
    ...more,
    done: (error?: PubSubError) => results[index]?.resolve(error),
  }));
  publisher.publish(batch, AbortSignal.timeout(10_000));
  return Promise.all(results.map(({ promise }) => promise));
}

const bodies = (calls: readonly (readonly Entry[])[]) => calls.map((entries) => entries.map(({ Message }) => Message));

test("on FIFO a key has one message under way, other keys go with it, and none is sent behind one that failed", async () => {
  const { calls, publisher } = played((entries) => ({
    Successful: all(entries).Successful.filter((_, index) => entries[index]?.Message !== "a2"),
    Failed: entries
      .filter(({ Message }) => Message === "a2")
      .map(({ Id }) => ({ Id, Code: "InternalError", SenderFault: false, Message: "oops" })),
  }));
  const keyed = ["a1", "a2", "a3", "b1", "b2"].map((data) => ({ data, key: data.slice(0, 1) }));
  const results = await published(publisher, keyed);
  expect(bodies(calls)).toEqual([
    ["a1", "b1"],
    ["a2", "b2"],
  ]);
  expect(results.map((error) => error?.outcome)).toEqual([undefined, "unknown", "rejected", undefined, undefined]);
});

test("without keys on FIFO each message is a group of its own", async () => {
  const { calls, publisher } = played(all);
  await published(publisher, [{ data: "1" }, { data: "2" }]);
  expect(calls).toHaveLength(1);
  const groups = calls[0]?.map(({ MessageGroupId }) => MessageGroupId);
  expect(new Set(groups).size).toBe(2);
});

test("batches have ten messages at most, and no more bytes than SNS takes", async () => {
  const { calls, publisher } = played(all, false);
  await published(
    publisher,
    Array.from({ length: 25 }, (_, index) => ({ data: String(index) })),
  );
  expect(calls.map(({ length }) => length)).toEqual([10, 10, 5]);
  calls.length = 0;
  await published(publisher, Array(5).fill({ data: "x".repeat(MOST_BYTES / 2 - 100) }));
  expect(calls.map(({ length }) => length)).toEqual([2, 2, 1]);
});

test("a message of which SNS says nothing is unknown", async () => {
  const { publisher } = played(() => ({}), false);
  expect(await published(publisher, [{ data: "a" }])).toMatchObject([{ code: "unavailable", outcome: "unknown" }]);
});

const TOO_LARGE = {
  code: "resource_exhausted",
  outcome: "rejected",
  permanent: true,
  message: expect.stringContaining(String(MOST_BYTES)),
};

const BEHIND = { code: "unavailable", outcome: "rejected", permanent: false };

test("on FIFO none is sent behind one of its key that is too large, but may be later; what is before it and what is of other keys is", async () => {
  const { calls, publisher } = played(all);
  const large = "x".repeat(MOST_BYTES);
  const keyed = ["a1", large, "a3", "b1"].map((data) => ({ data, key: data === "b1" ? "b" : "a" }));
  const results = await published(publisher, [...keyed, { data: large }, { data: "no key" }]);
  expect(bodies(calls).flat()).toEqual(["a1", "b1", "no key"]);
  expect(results).toMatchObject([undefined, TOO_LARGE, BEHIND, undefined, TOO_LARGE, undefined]);
});

test("without order what is too large keeps nothing else from being sent", async () => {
  const { calls, publisher } = played(all, false);
  const results = await published(
    publisher,
    ["a1", "x".repeat(MOST_BYTES), "a3"].map((data) => ({ data, key: "a" })),
  );
  expect(bodies(calls)).toEqual([["a1", "a3"]]);
  expect(results).toMatchObject([undefined, TOO_LARGE, undefined]);
});

test.each([
  ["a key", "k"],
  ["no key", undefined],
])("on FIFO a message with %s that may be stored, and is tried again, is the same to SNS; another message is not", async (_, key) => {
  const failing = new Set(["a"]);
  const { calls, publisher } = played((entries) => ({
    Successful: all(entries).Successful.filter((_, index) => !failing.has(entries[index]?.Message ?? "")),
    Failed: entries
      .filter(({ Message = "" }) => failing.has(Message))
      .map(({ Id }) => ({ Id, Code: "InternalError", SenderFault: false, Message: "oops" })),
  }));
  const once = (message: Omit<Outgoing, "done">) => {
    const { promise, resolve } = Promise.withResolvers<[outcome: string | undefined, position: string | undefined]>();
    const done = (error?: PubSubError, position?: string) => resolve([error?.outcome, position]);
    return { message: Object.assign(message, { done }), promise };
  };
  const data = Buffer.from("a");
  const content = { topic: "t", data, attributes: {}, ...(key !== undefined && { key }) };
  const first = { ...content };
  for (const outcome of ["unknown", "unknown", undefined]) {
    if (outcome === undefined) failing.clear();
    const { message, promise } = once(first);
    publisher.publish([message], AbortSignal.timeout(10_000));
    expect(await promise).toEqual([outcome, outcome === undefined ? "p1" : undefined]);
  }
  const { message, promise } = once({ ...content });
  publisher.publish([message], AbortSignal.timeout(10_000));
  await promise;
  const sent = calls.flat().map(({ MessageDeduplicationId, MessageGroupId }) => [MessageDeduplicationId, MessageGroupId]);
  const [original, other] = [sent[0], sent[3]];
  expect(sent).toEqual([original, original, original, other]);
  expect(original?.[0]).not.toBe(other?.[0]);
  expect(original?.[1] === other?.[1]).toBe(key !== undefined);
});
