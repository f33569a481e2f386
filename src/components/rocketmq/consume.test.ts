import { Status } from "layotto-transport";
import { describe, expect, test } from "vitest";
import { PubSubError } from "../../pubsub/error.ts";
import type { Order } from "../../pubsub/subscription.ts";
import { Code } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { given } from "./played-proxy.fixture.ts";
import { PlayedReader } from "./played-reader.fixture.ts";

const gone = new PubSubError("unavailable", "the connection is lost");

describe("a poll that waits before it asks again, when the connection is lost,", () => {
  test.each([
    ["after an answer with an error", (played: PlayedReader) => played.proxy.poll?.answers(Code.INTERNAL_SERVER_ERROR)],
    ["after a silence", (played: PlayedReader) => played.proxy.poll?.fails(Status.DEADLINE_EXCEEDED)],
  ])("%s, asks again once there is one", async (_, fail) => {
    const played = await new PlayedReader("none").open();
    played.reader.window(10, 100_000);
    fail(played);
    expect(played.proxy.polls).toHaveLength(1);
    played.proxy.lose(gone);
    await played.pass(10_000);
    expect(played.proxy.polls).toHaveLength(1);
    played.proxy.connect();
    await played.pass();
    expect(played.proxy.poll).toBeDefined();
  });
});

describe("in an ordered group what waits for the window never passes by what is before it in its queue:", () => {
  /** A batch of one key, of which two messages are lent and three wait; and one of another queue, which waits too. */
  async function partly(): Promise<PlayedReader> {
    const played = await new PlayedReader("key").open();
    played.reader.window(2, 100_000);
    const batch = ["m1", "m2", "m3", "m4", "m5"].map((position) => given(position, { key: "k" }));
    played.proxy.poll?.gives(...batch, given("other", { key: "l", queue: 2 }));
    expect(played.positions).toEqual(["m1", "m2"]);
    return played;
  }

  /** They were given back, and are given again. */
  async function comeAgain(played: PlayedReader, ...positions: readonly string[]): Promise<void> {
    await played.pass(1_000);
    expect(played.proxy.asked.filter((one) => positions.some((position) => one === `ChangeInvisibleDuration ${position}`)).sort()).toEqual(
      positions.map((position) => `ChangeInvisibleDuration ${position}`),
    );
    played.reader.window(10, 100_000);
    played.proxy.poll?.gives(...positions.map((position) => given(position, { key: "k" })));
  }

  test("when that is given back", async () => {
    const played = await partly();
    played.reader.window(0, 0);
    for (const position of ["m2", "m1"]) expect(played.of(position).release()).toBe(true);
    await comeAgain(played, "m1", "m2", "m3", "m4", "m5");
    expect(played.positions).toEqual(["m1", "m2", "other", "m1", "m2", "m3", "m4", "m5"]);
  });

  test("when that is lost", async () => {
    const played = await partly();
    played.proxy.answers.ChangeInvisibleDuration = (request) =>
      "messageId" in request && request.messageId === "m1" ? { status: { code: Code.INVALID_RECEIPT_HANDLE } } : {};
    await played.pass(10_000);
    expect(played.lostOnes.map(({ position }) => position)).toEqual(["m1"]);
    expect(played.positions).toEqual(["m1", "m2", "other"]);
  });

  test("when one that waits goes back in a pause, those behind it go too", async () => {
    const played = await new PlayedReader("key").open();
    played.reader.window(1, 100_000);
    played.proxy.poll?.gives(given("m1", { key: "k" }), given("m2", { key: "k" }), given("m3", { key: "k" }));
    // The lease of the third is younger than that of the second.
    played.proxy.answers.ChangeInvisibleDuration = (request) =>
      "messageId" in request && request.messageId === "m2" ? { status: { code: Code.INTERNAL_SERVER_ERROR } } : {};
    await played.pass(10_000);
    delete played.proxy.answers.ChangeInvisibleDuration;
    played.proxy.asked.length = 0;
    played.reader.window(0, 0);
    await played.pass(5_000);
    await played.pass(2);
    expect(played.proxy.asked.filter((one) => /m[23]/.test(one))).toEqual(["ChangeInvisibleDuration m2", "ChangeInvisibleDuration m3"]);
    played.reader.window(10, 100_000);
    expect(played.positions).toEqual(["m1"]);
  });

  test("a message without a key is in no order, and holds nobody up", async () => {
    const played = await new PlayedReader("key").open();
    played.reader.window(1, 100_000);
    played.proxy.poll?.gives(given("m1"), given("m2", { key: "k" }));
    expect(played.of("m1").retry?.(60_000, 1)).toBe(true);
    expect(played.positions).toEqual(["m1", "m2"]);
  });
});

test("what was acknowledged after a renewal of which nobody knows whether it was done is acknowledged once more, when the lease that it may have begun ends", async () => {
  const played = await new PlayedReader("none", { lease: "12s" }).open();
  played.reader.window(10, 100_000);
  played.proxy.poll?.gives(given("m1"));
  played.proxy.answers.ChangeInvisibleDuration = () => Promise.reject(gone);
  for (let looks = 0; looks < 3; looks++) await played.pass(2_000);
  played.of("m1").ack();
  await played.pass();
  expect(played.proxy.asked).toContain("AckMessage m1");
  played.proxy.asked.length = 0;
  played.proxy.poll?.gives(given("m1", { handle: "new" }));
  await played.pass();
  expect([played.positions, played.proxy.asked]).toEqual([["m1"], ["AckMessage m1"]]);
});

describe("a lease that is over", () => {
  /** Nobody can be told to prolong one. */
  async function unprolonged(order: Order): Promise<PlayedReader> {
    const played = await new PlayedReader(order, { lease: "12s" }).open();
    played.proxy.answers.ChangeInvisibleDuration = () => new Promise(() => undefined);
    await played.pass(1_000);
    return played;
  }

  test("while its message waits is not lent any more", async () => {
    const played = await unprolonged("none");
    played.reader.window(1, 100_000);
    played.proxy.poll?.gives(given("m1"), given("m2"));
    // Between two looks at all of them, which are each two seconds from the beginning.
    await played.pass(12_500);
    played.reader.window(10, 100_000);
    expect(played.positions).toEqual(["m1"]);
    expect(played.lostOnes.map(({ position }) => position)).toEqual(["m1"]);
  });

  test("is told before anything that comes later is lent", async () => {
    const played = await unprolonged("key");
    played.reader.window(10, 100_000);
    played.proxy.poll?.gives(given("m1", { key: "k" }));
    await played.pass(12_500);
    expect(played.lostOnes).toEqual([]);
    played.proxy.poll?.answers(Code.MESSAGE_NOT_FOUND);
    played.proxy.poll?.gives(given("m1", { key: "k" }), given("m2", { key: "k" }));
    expect(played.lostOnes.map(({ position }) => position)).toEqual(["m1"]);
    expect(played.positions).toEqual(["m1", "m1", "m2"]);
  });

  test("when its message arrives is none", async () => {
    const played = await unprolonged("none");
    played.reader.window(10, 100_000);
    const [poll] = played.proxy.polls;
    await played.pass(12_500);
    poll?.gives(given("m1"));
    expect(played.positions).toEqual([]);
    played.proxy.poll?.gives(given("m1"));
    expect(played.positions).toEqual(["m1"]);
  });
});

describe("errors of polls", () => {
  /** The poll at a broker fails, and the second goes by after which it asks again. */
  async function fails(played: PlayedReader, broker: string): Promise<void> {
    played.proxy.pollOf(broker)?.answers(Code.INTERNAL_SERVER_ERROR);
    await played.pass(1_000);
  }

  test("that last are told, and so is that they are over; a single one is chance", async () => {
    const played = await new PlayedReader("none").open();
    played.reader.window(10, 100_000);
    played.told.length = 0;
    await fails(played, "b");
    played.proxy.poll?.answers(Code.MESSAGE_NOT_FOUND);
    await fails(played, "b");
    expect(played.told).toEqual([]);
    await fails(played, "b");
    expect(played.told).toEqual(["ReceiveMessage: as played"]);
    played.proxy.poll?.answers(Code.MESSAGE_NOT_FOUND);
    expect(played.told).toEqual(["ReceiveMessage: as played", undefined]);
  });

  test("are those of one attempt, by which an ordered group gives at once what an answer lacked; what ended well begins another", async () => {
    const played = await new PlayedReader("key").open();
    played.reader.window(10, 100_000);
    await fails(played, "b");
    played.proxy.poll?.fails(Status.UNAVAILABLE);
    await played.pass(1_000);
    played.proxy.poll?.answers(Code.MESSAGE_NOT_FOUND);
    played.proxy.poll?.gives(given("m1", { key: "k" }));
    const [first, second, third, fourth, fifth] = played.proxy.polls.map(({ request }) => request.attemptId);
    expect([second, third]).toEqual([first, first]);
    expect(new Set([first, fourth, fifth]).size).toBe(3);
  });

  test("at one broker are not over because another answers, but when that broker is not asked any more", async () => {
    const played = new PlayedReader("none");
    played.brokers = ["b1", "b2"];
    await played.open();
    played.reader.window(10, 100_000);
    played.told.length = 0;
    await fails(played, "b1");
    await fails(played, "b1");
    played.proxy.pollOf("b2")?.answers(Code.MESSAGE_NOT_FOUND);
    expect(played.told).toEqual(["ReceiveMessage: as played"]);
    played.brokers = ["b2"];
    await played.pass(30_000);
    expect(played.told).toEqual(["ReceiveMessage: as played", undefined]);
  });
});

test("a close that is cut short takes leave of the proxy all the same, and gives no more sign of life", async () => {
  const played = await new PlayedReader("none").open();
  played.reader.window(10, 100_000);
  played.proxy.poll?.gives(given("m1"));
  played.proxy.answers.AckMessage = () => new Promise(() => undefined);
  played.of("m1").ack();
  const cut = new AbortController();
  const closing = played.reader.close(cut.signal);
  await played.pass();
  cut.abort();
  await expect(closing).rejects.toMatchObject({ code: "cancelled" });
  expect(await played.reader.closed).toBeUndefined();
  expect(played.proxy.asked).toEqual(["AckMessage m1", "NotifyClientTermination"]);
  await played.pass(60_000);
  expect(played.proxy.asked).toHaveLength(2);
});

describe("a broker that comes later", () => {
  const trouble = new PubSubError("unavailable", "the new broker cannot be asked");

  async function withOneMore(): Promise<PlayedReader> {
    const played = await new PlayedReader("none").open();
    played.reader.window(10, 100_000);
    played.told.length = 0;
    played.brokers = ["b", "new"];
    return played;
  }

  test("has the group before it is read", async () => {
    const played = await withOneMore();
    const made = Promise.withResolvers<void>();
    played.ensure = () => made.promise;
    await played.pass(30_000);
    expect(played.proxy.pollOf("new")).toBeUndefined();
    made.resolve();
    await played.pass();
    expect(played.proxy.pollOf("new")).toBeDefined();
    played.ensure = () => Promise.reject(trouble);
    await played.pass(30_000);
    expect(played.told).toEqual([]);
  });

  test("and cannot be asked is not read, and told until it can", async () => {
    const played = await withOneMore();
    played.ensure = () => Promise.reject(trouble);
    await played.pass(30_000);
    expect(played.told).toEqual([trouble.message]);
    expect([played.proxy.pollOf("new"), played.proxy.pollOf("b")]).toEqual([undefined, expect.anything()]);
    played.ensure = () => Promise.resolve();
    await played.pass(30_000);
    played.proxy.pollOf("new")?.answers(Code.MESSAGE_NOT_FOUND);
    expect(played.told).toEqual([trouble.message, undefined]);
  });

  test("and goes again before it could be asked is no trouble any more", async () => {
    const played = await withOneMore();
    played.ensure = () => Promise.reject(trouble);
    await played.pass(30_000);
    played.brokers = ["b"];
    await played.pass(30_000);
    expect(played.told).toEqual([trouble.message, undefined]);
  });
});

test("two messages that another program sent with one id are two, each until it is settled", async () => {
  const played = await new PlayedReader("none").open();
  played.reader.window(10, 100_000);
  played.proxy.poll?.gives(given("m1", { checksum: "a" }), given("m1", { checksum: "b" }));
  expect(played.positions).toEqual(["m1", "m1"]);
  expect(played.lent[0]?.ack()).toBe(true);
  await played.pass(10);
  expect(played.proxy.asked.filter((one) => one === "AckMessage m1")).toHaveLength(1);
  played.proxy.poll?.gives(given("m1", { checksum: "c" }));
  expect(played.positions).toEqual(["m1", "m1", "m1"]);
});
