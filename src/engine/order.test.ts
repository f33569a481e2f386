import { expect, test } from "vitest";
import { PubSubError } from "../pubsub/error.ts";
import { setUp } from "./reader.fixture.ts";

const K = { key: "k" };

test("of a key, the next waits until the one before it is settled, through its retries; other keys and no key go on", () => {
  const t = setUp({}, { order: "key" });
  for (const name of ["a", "b"]) t.lend(name, K);
  t.lend("x", { key: "other" });
  t.lend("y");
  expect(t.ids()).toBe("axy");
  t.answer("a", "retry");
  t.clock.advance(999);
  expect(t.ids()).toBe("axy");
  t.clock.advance(1);
  expect(t.ids()).toBe("axya");
  t.answer("a", "success");
  expect(t.ids()).toBe("axyab");
});

test("without an order a key waits for nothing", () => {
  const t = setUp();
  for (const name of ["a", "b"]) t.lend(name, K);
  expect(t.ids()).toBe("ab");
});

test("with the order of the topic all messages wait for one another", () => {
  const t = setUp({}, { order: "topic" });
  t.lend("a");
  t.lend("b", K);
  expect(t.ids()).toBe("a");
  t.answer("a", "drop");
  expect(t.ids()).toBe("ab");
});

test("a message with a key never goes back to the broker for a delay: it would be passed by", () => {
  const t = setUp({ maxPending: 1 }, { order: "key" });
  t.lend("a", { ...K, retry: true });
  t.answer("a", "retry");
  expect(t.log).toEqual(["keep 1 a"]);
});

test("what waits behind a lost message is given back, last first: nobody may pass it by", () => {
  const t = setUp({}, { order: "key" });
  const first = t.lend("a", K);
  for (const name of ["b", "c"]) t.lend(name, K);
  t.reader.lost([first], new PubSubError("unavailable", "lease gone"));
  expect(t.log).toEqual(["release c", "release b"]);
  t.lend("b", K);
  expect(t.ids()).toBe("a");
  t.answer("a", "success");
  expect([t.ids(), t.log]).toEqual(["ab", ["release c", "release b"]]);
});

test("another message at the position of one whose call runs is not that one", () => {
  const t = setUp({}, { order: "key" });
  const first = t.lend("1", { key: "k" });
  t.reader.lost([first], new PubSubError("unavailable", "the topic was made anew"));
  t.lend("1", { key: "other", data: Buffer.from("other") });
  t.lend("2", { key: "k" });
  expect(t.calls.map(({ event }) => Buffer.from(event.data).toString())).toEqual(["1", "other"]);
  t.calls[0]?.receiver.verdict("success");
  expect([t.log, t.calls.length]).toEqual([[], 3]);
  t.calls[1]?.receiver.verdict("success");
  expect(t.log).toEqual(["ack 1"]);
});

test("a message that comes again while its call runs joins that call", () => {
  const t = setUp({}, { order: "key" });
  const first = t.lend("a", K);
  t.reader.lost([first], new PubSubError("unavailable", "lease gone"));
  t.lend("a", K);
  t.lend("b", K);
  expect([t.ids(), t.reader.pending]).toEqual(["a", 2]);
  t.answer("a", "success");
  expect([t.ids(), t.log, t.reader.pending]).toEqual(["ab", ["ack a"], 1]);
});

test("a stop gives back what waits behind a running call, and the call still settles its message", async () => {
  const t = setUp({}, { order: "key" });
  for (const name of ["a", "b", "c"]) t.lend(name, K);
  const drained = t.reader.drain(new AbortController().signal);
  expect(t.log).toEqual(["release c", "release b"]);
  t.answer("a", "success");
  await drained;
  expect([t.log.at(-1), t.ids(), t.reader.pending]).toEqual(["ack a", "a", 0]);
});

test("an expired message lets the next of its key go", () => {
  const t = setUp({}, { order: "key" });
  t.lend("a", { ...K, expiresAt: 0 });
  t.lend("b", K);
  expect([t.ids(), t.log]).toEqual(["b", ["ack a"]]);
});
