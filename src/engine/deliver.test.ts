import { expect, test } from "vitest";
import { PubSubError } from "../pubsub/error.ts";
import { setUp } from "./reader.fixture.ts";

test("success acks, and only success", () => {
  const t = setUp();
  t.lend("a");
  expect([t.log, t.reader.pending]).toEqual([[], 1]);
  t.calls[0]?.receiver.verdict("success");
  expect([t.log, t.reader.pending]).toEqual([["ack a"], 0]);
});

test("the app gets the event with its metadata", () => {
  const t = setUp();
  t.lend("a");
  expect(t.calls[0]?.event).toMatchObject({ id: "a", topic: "t", pubsub: "redis", metadata: { mykey: "v" }, raw: false });
});

test("what is no CloudEvent is delivered raw, under its position", () => {
  const t = setUp();
  t.lend("7-0", { data: Buffer.from('{"hello":1}') });
  expect(t.calls[0]?.event).toMatchObject({ id: "7-0", raw: true });
  expect(Buffer.from(t.calls[0]?.event.data ?? []).toString()).toBe('{"hello":1}');
});

test.each(["retry", "failed"] as const)("%s is one failure, recorded, and comes again after a second while others go on", (verdict) => {
  const t = setUp();
  t.lend("a");
  t.calls[0]?.receiver.verdict(verdict);
  expect(t.log).toEqual(["keep 1 a"]);
  t.lend("b");
  t.clock.advance(999);
  expect(t.ids()).toBe("ab");
  t.clock.advance(1);
  expect(t.ids()).toBe("aba");
  t.calls[2]?.receiver.verdict(verdict);
  t.clock.advance(1_999);
  expect(t.ids()).toBe("aba");
  t.clock.advance(1);
  expect(t.ids()).toBe("abaa");
});

test("failures that the broker remembers go on counting", () => {
  const t = setUp();
  t.lend("a", { failures: 4 });
  t.calls[0]?.receiver.verdict("retry");
  expect(t.log).toEqual(["keep 5 a"]);
});

test("with a full window a failed message goes back to a broker that can delay it", () => {
  const t = setUp({ maxPending: 1 });
  t.lend("a", { retry: true });
  t.calls[0]?.receiver.verdict("retry");
  expect([t.log, t.reader.pending]).toEqual([["retry 1000 1 a"], 0]);
});

test("what is to wait longer than that broker can delay it comes again after its longest delay", () => {
  const t = setUp({ maxPending: 1 }, { maxDelayMs: 400 });
  t.lend("a", { retry: true });
  t.calls[0]?.receiver.verdict("retry");
  expect(t.log).toEqual(["retry 400 1 a"]);
});

test("drop acks, and is counted", () => {
  const t = setUp();
  t.lend("a");
  t.calls[0]?.receiver.verdict("drop");
  expect([t.log, t.reader.counts.dropped]).toEqual([["ack a"], 1]);
});

test("no more calls run at once than allowed", () => {
  const t = setUp({ maxInFlight: 2 });
  for (const name of "abc") t.lend(name);
  expect(t.ids()).toBe("ab");
  t.calls[0]?.receiver.verdict("success");
  expect(t.ids()).toBe("abc");
});

test("an app that is away costs no failure: the reader pauses, and goes on with the same message", () => {
  const t = setUp();
  t.lend("a");
  t.reach(false);
  t.calls[0]?.receiver.verdict("unreachable");
  expect([t.windows.at(-1), t.log, t.reader.pausedBecause]).toEqual([0, [], "the app is unreachable"]);
  t.reach(true);
  expect([t.ids(), t.windows.at(-1), t.log]).toEqual(["aa", 1_000, []]);
});

test("what waits for an app that stays away is given back after ten seconds, last first", () => {
  const t = setUp();
  t.reach(false);
  for (const name of "ab") t.lend(name);
  t.clock.advance(9_999);
  expect(t.log).toEqual([]);
  t.clock.advance(1);
  expect([t.log, t.reader.pending]).toEqual([["release b", "release a"], 0]);
});

test("an app without the callback pauses the reader and is asked again; nothing is acked", () => {
  const t = setUp();
  t.lend("a");
  t.calls[0]?.receiver.verdict("unimplemented", "no handler");
  expect([t.log, t.reader.pausedBecause]).toEqual([[], "no handler"]);
  t.clock.advance(5_000);
  expect(t.ids()).toBe("aa");
});

test("an expired message never reaches the app, also when it expires in backoff", () => {
  const t = setUp();
  t.lend("a", { expiresAt: 0 });
  t.lend("b", { expiresAt: 500 });
  t.calls[0]?.receiver.verdict("retry");
  // Long before its next try: it makes room at once.
  t.clock.advance(500);
  expect([t.ids(), t.log, t.reader.counts.expired]).toEqual(["b", ["ack a", "keep 1 b", "ack b"], 2]);
});

test("the verdict on a lost message goes nowhere", () => {
  const told: string[] = [];
  const t = setUp({}, { lost: (messages, reason) => told.push(`${messages}: ${reason}`) });
  const delivery = t.lend("a");
  t.reader.lost([delivery], new PubSubError("unavailable", "lease gone"));
  t.calls[0]?.receiver.verdict("success");
  expect([t.log, t.reader.pending, t.reader.inFlight]).toEqual([[], 0, 0]);
  // It is told, and is no state: the reader goes on.
  expect([told, t.reader.interruptedBecause]).toEqual([["1: lease gone"], undefined]);
});

test("draining gives back what was not started, waits for what runs, and leaves to its lease what does not end", async () => {
  const t = setUp({ maxInFlight: 2 });
  for (const name of "abcd") t.lend(name);
  const deadline = new AbortController();
  const drained = t.reader.drain(deadline.signal);
  expect(t.log).toEqual(["release d", "release c"]);
  t.calls[0]?.receiver.verdict("success");
  deadline.abort();
  await drained;
  expect([t.log.slice(2), t.calls[1]?.cancelled, t.ids()]).toEqual([["ack a"], true, "ab"]);
});
