import { expect, test } from "vitest";
import { POLICY } from "../conformance/engine/policy.ts";
import { Budget } from "./budget.ts";
import type { DeadLetterTarget } from "./dead-letter.ts";
import { Flight } from "./flight.ts";
import { setUp } from "./reader.fixture.ts";

test("after so many failures in a row the app is left alone, then tried with one call until it works", () => {
  const t = setUp({ breaker: { failures: 2, pauseMs: 30_000 } });
  for (const name of ["a", "b"]) t.lend(name);
  t.answer("a", "failed");
  t.answer("b", "failed");
  expect([t.reader.pausedBecause, t.windows.at(-1)]).toEqual(["2 calls in a row failed: the app is left alone for 30000 ms", 0]);
  // What waits goes back to the broker after ten seconds, as it does for an app that is away.
  t.clock.advance(29_999);
  expect([t.ids(), t.log.slice(2)]).toEqual(["ab", ["release b", "release a"]]);
  t.clock.advance(1);
  for (const name of ["c", "d"]) t.lend(name);
  expect([t.ids(), t.windows.at(-1)]).toEqual(["abc", 1_000]);
  t.answer("c", "success");
  for (const name of ["e"]) t.lend(name);
  expect(t.ids()).toBe("abcde");
});

test("a probe that fails leaves the app alone again", () => {
  const t = setUp({ breaker: { failures: 1, pauseMs: 5_000 } });
  t.lend("a");
  t.answer("a", "failed");
  t.clock.advance(5_000);
  t.answer("a", "failed");
  expect(t.reader.pausedBecause).toBe("1 calls in a row failed: the app is left alone for 5000 ms");
});

test("a success in between begins the count anew", () => {
  const t = setUp({ breaker: { failures: 2, pauseMs: 30_000 } });
  for (const name of ["a", "b", "c"]) t.lend(name);
  t.answer("a", "failed");
  t.answer("b", "success");
  t.answer("c", "failed");
  expect(t.reader.pausedBecause).toBeUndefined();
});

test("a rate is kept, and nothing waits longer than it must", () => {
  const t = setUp({ rate: 10 });
  for (const name of ["a", "b", "c"]) t.lend(name);
  expect(t.ids()).toBe("a");
  t.clock.advance(99);
  expect(t.ids()).toBe("a");
  t.clock.advance(1);
  expect(t.ids()).toBe("ab");
  t.clock.advance(100);
  expect(t.ids()).toBe("abc");
});

test("one constant wait, when that is asked for", () => {
  const t = setUp({ retry: { firstMs: 5_000, mostMs: 5_000, maxFailures: 10, permanent: [] } });
  t.lend("a");
  for (let call = 1; call <= 3; call++) {
    t.answer("a", "retry");
    t.clock.advance(4_999);
    expect(t.calls.length).toBe(call);
    t.clock.advance(1);
  }
  expect(t.calls.length).toBe(4);
});

test("subscriptions share the memory: one that needs it gets more, and gives it back when it is idle", () => {
  const memory = new Budget(100 * 1_024);
  const shared = { flight: new Flight(), memory };
  const t = setUp({}, {}, shared);
  const data = Buffer.alloc(40 * 1_024, '"');
  t.lend("a", { data });
  expect(memory.used).toBe(64 * 1_024);
  // Beyond what is left for all there is nothing to be had.
  for (const name of ["b", "c", "d"]) t.lend(name, { data });
  expect(memory.used).toBe(64 * 1_024);
  expect(t.reader.degradedBecause).toContain("the window is full");
  for (const { receiver } of t.calls) receiver.verdict("success");
  t.clock.advance(2_000);
  expect([memory.used, t.reader.degradedBecause]).toEqual([0, undefined]);
});

test("one message that stays does not keep the memory that many others needed", () => {
  const memory = new Budget(16 * 1_024 * 1_024);
  const t = setUp({ maxInFlight: 1_000 }, {}, { flight: new Flight(), memory });
  t.lend("stays", { data: Buffer.alloc(1_024, '"') });
  for (let index = 0; index < 500; index++) t.lend(`m${index}`, { data: Buffer.alloc(10 * 1_024, '"') });
  const grown = memory.used;
  expect(grown).toBeGreaterThan(5 * 1_024 * 1_024);
  // What is in use is kept.
  t.clock.advance(5_000);
  expect(memory.used).toBe(grown);
  for (const { event, receiver } of t.calls) if (event.id !== "stays") receiver.verdict("success");
  t.clock.advance(2_000);
  expect(memory.used).toBe(0);
});

test("where the broker counts no failures, those of a message that was given back are remembered until it is settled", () => {
  const publish: DeadLetterTarget["publish"] = (_, done) => done();
  const retry = { ...POLICY.retry, maxFailures: 3 };
  const t = setUp({ maxPending: 1, retry }, { deadLetters: { topic: "dead", maxBytes: 1_000, publish } });
  for (let failure = 1; failure <= 3; failure++) {
    t.lend("a", { retry: true, uncounted: true });
    t.answer("a", "retry");
  }
  expect(t.log.map((line) => line.replace(/retry \d+/, "retry"))).toEqual(["retry 1 a", "retry 2 a", "ack a"]);
  expect(t.reader.counts.deadLettered).toBe(1);
  t.lend("a", { retry: true, uncounted: true });
  t.answer("a", "retry");
  expect(t.log.at(-1)).toMatch(/^retry \d+ 1 a$/);
});

test("what waits for another try goes back when it may keep others out by its bytes, attributes among them", () => {
  const t = setUp({ maxPendingBytes: 64 * 1_024 });
  const data = Buffer.alloc(15 * 1_024, '"');
  for (const name of ["a", "b"]) t.lend(name, { data, retry: true });
  t.calls[0]?.receiver.verdict("retry");
  expect(t.log).toEqual(["keep 1 a"]);
  t.lend("c", { data, retry: true });
  t.calls[1]?.receiver.verdict("retry");
  expect(t.log.at(-1)).toMatch(/^retry \d+ 1 b$/);
});
