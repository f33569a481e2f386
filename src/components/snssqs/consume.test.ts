import type { Message } from "@aws-sdk/client-sqs";
import { expect, test } from "vitest";
import { textsOf } from "../../conformance/bench.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { message, PlayedReader } from "./reader.fixture.ts";

const LEASE_MS = 30_000;

test("what is held until its lease is over is not lent, nor what is behind it: another may be further with that key", async () => {
  const { reader, clock, sink, receives, changes } = new PlayedReader({ fifo: true });
  reader.window(1, 1_000);
  (await receives.next()).answer([message("a1", "a"), message("a2", "a"), message("b1", "b")]);
  const first = await sink.one();
  clock.standStill(LEASE_MS);
  reader.window(1_000, 1_000);
  // It asks for more as soon as nothing is held any more.
  await receives.next();
  expect([textsOf(sink.seen), sink.lostOnes]).toEqual([["a1"], [first]]);
  expect(changes.untaken).toBe(0);
});

test("what is brought by a call that lasted longer than a lease is not lent", async () => {
  const { clock, sink, receives } = new PlayedReader();
  const late = await receives.next();
  clock.standStill(LEASE_MS);
  late.answer([message("late")]);
  (await receives.next()).answer([message("in time")]);
  expect(textsOf(await sink.next(1))).toEqual(["in time"]);
});

test("what is given back waits for the renewal under way, which would hide it again; what is acked does not", async () => {
  const { reader, clock, sink, receives, deletes, changes } = new PlayedReader();
  (await receives.next()).answer([message("given back"), message("acked")]);
  const [first, second] = await sink.next(2);
  reader.window(0, 0);
  clock.advance(LEASE_MS / 3);
  const renewal = await changes.next();
  first?.release();
  second?.ack();
  (await deletes.next()).answer({});
  expect(changes.untaken).toBe(0);
  renewal.answer({});
  const givenBack = await changes.next();
  expect(givenBack.asked).toMatchObject([{ ReceiptHandle: "receipt of given back", VisibilityTimeout: 0 }]);
  givenBack.answer({});
  await reader.flush(AbortSignal.timeout(5_000));
});

test("nothing is received while more than a thousand settlements do not stand", async () => {
  const { sink, receives, deletes } = new PlayedReader();
  let sent = 0;
  for (; sent < 2_000 && receives.untaken > 0; await turn()) {
    const call = await receives.next();
    call.answer(Array.from({ length: call.asked }, () => message(`m${sent++}`)));
    for (const delivery of await sink.next(call.asked)) expect(delivery.ack()).toBe(true);
  }
  // What was asked for before may come on top.
  expect(sent).toBeGreaterThan(1_000);
  expect(sent).toBeLessThan(1_100);
  let deleted = 0;
  while (receives.untaken === 0) {
    const call = await deletes.next();
    deleted += call.asked.length;
    call.answer({});
    await turn();
  }
  expect(deleted).toBeLessThan(1_100);
});

test("where settling is forbidden the reader lives, keeps what it has, says so, and settles once it may", async () => {
  const { reader, clock, sink, receives, deletes, changes } = new PlayedReader();
  (await receives.next()).answer([message("m")]);
  const delivery = await sink.one();
  (await receives.next()).answer([]);
  expect(delivery.ack()).toBe(true);
  const denied = new PubSubError("permission_denied", "no right to delete", { permanent: true });
  const flushed = expect(reader.flush(AbortSignal.timeout(5_000))).rejects.toBe(denied);
  (await deletes.next()).fail(denied);
  await flushed;
  // Messages still come, which says nothing of settling.
  (await receives.next()).answer([]);
  await turn();
  expect([sink.interruptions.at(-1), sink.lostOnes]).toEqual([denied, []]);
  clock.advance(LEASE_MS / 3);
  (await changes.next()).answer({});
  const again = await deletes.next();
  expect(again.asked).toMatchObject([{ ReceiptHandle: "receipt of m" }]);
  again.answer({});
  await turn();
  expect(sink.interruptions.at(-1)).toBeUndefined();
});

test("with most of the window lent a call for a few is put off, since it costs as much as one for many", async () => {
  const { reader, clock, sink, receives } = new PlayedReader();
  reader.window(20, 1_000_000);
  (await receives.next()).answer(Array.from({ length: 10 }, (_, index) => message(`m${index}`)));
  const first = await sink.next(10);
  (await receives.next()).answer(Array.from({ length: 10 }, (_, index) => message(`n${index}`)));
  await sink.next(10);
  first[0]?.ack();
  await turn();
  expect(receives.untaken).toBe(0);
  clock.advance(100);
  const few = await receives.next();
  expect(few.asked).toBe(1);
  for (const delivery of first.slice(1, 6)) delivery.ack();
  // Enough is asked for at once.
  few.answer([]);
  expect((await receives.next()).asked).toBe(5);
});

test("a FIFO queue whose answer was lost is asked for the same once more: it would hold back those keys", async () => {
  const { sink, receives, attempts } = new PlayedReader({ fifo: true });
  const lost = await receives.next();
  lost.fail(new PubSubError("unavailable", "reset", { outcome: "unknown" }));
  (await receives.next()).answer([message("a", "key")]);
  expect(textsOf([await sink.one()])).toEqual(["a"]);
  (await receives.next()).answer([]);
  await receives.next();
  const [first, second, third] = attempts;
  expect([first === second, first === third, typeof first]).toEqual([true, false, "string"]);
});

test("what is given back is no longer tried when its lease is over: then it is everybody's, or another's", async () => {
  const { reader, clock, sink, receives, changes } = new PlayedReader({ fifo: true });
  (await receives.next()).answer([message("m")]);
  const delivery = await sink.one();
  reader.window(0, 0);
  expect(delivery.release()).toBe(true);
  const failing = { Failed: [{ Id: "0", Code: "InternalError", SenderFault: false }] };
  (await changes.next()).answer(failing);
  const flushed = reader.flush(AbortSignal.timeout(5_000));
  await turn();
  clock.advance(1_000);
  (await changes.next()).answer(failing);
  await turn();
  clock.advance(LEASE_MS);
  await flushed;
  expect(changes.untaken).toBe(0);
});

test.each(["the call", "the entry"])(
  "a give-back to a standard queue is not repeated when it may stand, by %s: it may be another's by now",
  async (what) => {
    const { reader, clock, sink, receives, changes } = new PlayedReader();
    (await receives.next()).answer([message("m"), message("n")]);
    const [first, second] = await sink.next(2);
    reader.window(0, 0);
    first?.release();
    second?.retry?.(5_000, 1);
    const flushed = reader.flush(AbortSignal.timeout(5_000));
    const call = await changes.next();
    if (what === "the call") call.fail(new PubSubError("unavailable", "no answer", { outcome: "unknown" }));
    else call.answer({ Failed: ["0", "1"].map((Id) => ({ Id, Code: "InternalError", SenderFault: false })) });
    await flushed;
    clock.advance(LEASE_MS);
    await turn();
    expect(changes.untaken).toBe(0);
  },
);

test("a give-back that a standard queue has refused for now is repeated", async () => {
  const { reader, clock, sink, receives, changes } = new PlayedReader();
  (await receives.next()).answer([message("m")]);
  const delivery = await sink.one();
  reader.window(0, 0);
  delivery.release();
  (await changes.next()).fail(new PubSubError("resource_exhausted", "throttled"));
  await turn();
  clock.advance(1_000);
  (await changes.next()).answer({});
  await reader.flush(AbortSignal.timeout(5_000));
});

test("a FIFO queue's messages of a key are deleted together, or one after the other: no later one stands before an earlier", async () => {
  const { reader, clock, sink, receives, deletes } = new PlayedReader({ fifo: true });
  const receive = async (messages: readonly Message[]) => {
    (await receives.next()).answer(messages);
    for (let handled = 0; handled < messages.length; handled++) (await sink.one()).ack();
  };
  await receive([message("a1", "a")]);
  const first = await deletes.next();
  await receive(["b", "c", "d", "e", "f", "g", "h", "i", "j"].map((key) => message(key, key)));
  await receive([message("k", "k"), message("a2", "a")]);
  await receive(Array.from({ length: 10 }, (_, index) => message(`x${index}`, "x")));
  await receive([message("x10", "x")]);
  const flushed = reader.flush(AbortSignal.timeout(5_000));
  first.fail(new PubSubError("unavailable", "no answer", { outcome: "unknown" }));
  await turn();
  clock.advance(1_000);
  const calls = [await deletes.next(), await deletes.next(), await deletes.next()];
  const asked = calls.map((call) => call.asked.map(({ ReceiptHandle = "" }) => ReceiptHandle.slice("receipt of ".length)));
  expect(asked.map((some) => some.join(" ")).sort()).toEqual(["a1 a2 b c d e f g h i", "j k", "x0 x1 x2 x3 x4 x5 x6 x7 x8 x9"]);
  expect(deletes.untaken).toBe(0);
  const failing = { Failed: [{ Id: "0", Code: "InternalError", SenderFault: false }] };
  for (const call of calls) call.answer(call.asked[0]?.ReceiptHandle === "receipt of x0" ? failing : {});
  await turn();
  expect(deletes.untaken).toBe(0);
  clock.advance(1_000);
  const last = await deletes.next();
  expect(last.asked).toMatchObject([{ ReceiptHandle: "receipt of x0" }, { ReceiptHandle: "receipt of x10" }]);
  last.answer({});
  await flushed;
});

test("of what waits in the queue a reader could be lent what is visible", async () => {
  const { reader, counts } = new PlayedReader();
  counts.ApproximateNumberOfMessages = "1";
  counts.ApproximateNumberOfMessagesNotVisible = "20";
  counts.ApproximateNumberOfMessagesDelayed = "300";
  expect(await reader.backlog(AbortSignal.timeout(5_000))).toEqual({ messages: 321, oldestMs: undefined, here: 1 });
});

/** What was begun goes as far as it can without an answer. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
