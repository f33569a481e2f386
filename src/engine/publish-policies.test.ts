import { expect, test } from "vitest";
import { PUBLISHING } from "../conformance/engine/policy.ts";
import { PubSubError } from "../pubsub/error.ts";
import { away, replyLost, setUp } from "./outbox.fixture.ts";

const OPEN =
  "unavailable: the circuit breaker is open for 30000 ms: 2 calls of the broker in a row failed, the last with: connection refused";
const retry = (change: Partial<typeof PUBLISHING.retry>) => ({ retry: { ...PUBLISHING.retry, ...change } });

test("a wait grows by its factor from the first to the most", () => {
  const t = setUp({ policy: retry({ firstMs: 100, factor: 3, mostMs: 500 }) });
  t.publish("a");
  for (const [call, wait] of [100, 300, 500, 500].entries()) {
    t.answer(call, away);
    t.clock.advance(wait - 1);
    expect(t.calls.length).toBe(call + 1);
    t.clock.advance(1);
    expect(t.calls.length).toBe(call + 2);
  }
});

test("one constant wait, when that is asked for; none stays none", () => {
  for (const firstMs of [200, 0]) {
    const t = setUp({ policy: { timeoutMs: 1e9, ...retry({ firstMs, factor: 1, mostMs: firstMs }) } });
    t.publish("a");
    for (let call = 0; call < 3; call++) {
      t.answer(call, away);
      t.clock.advance(firstMs);
    }
    expect(t.calls.length).toBe(4);
  }
});

test("after so many failures a publish fails with the last of them, and those behind it go on", () => {
  const t = setUp({ policy: retry({ maxFailures: 2 }) });
  t.publish("a");
  t.answer(0, away);
  t.publish("b");
  t.clock.advance(50);
  t.answer(1, away);
  expect(t.results).toEqual({ a: "unavailable: connection refused" });
  t.clock.advance(100);
  t.answer(2);
  expect([t.names(), t.results.b, t.budget.used]).toEqual(["a|ab|b".split("|"), "ok", 0]);
});

test("a code that is said to be permanent fails a publish at once", () => {
  const t = setUp({ policy: retry({ permanent: ["RESOURCE_EXHAUSTED"] }) });
  t.publish("a");
  t.answer(0, new PubSubError("resource_exhausted", "full"));
  t.publish("b");
  t.answer(1, away);
  t.clock.advance(100);
  expect([t.results, t.calls.length]).toEqual([{ a: "resource_exhausted: full" }, 3]);
});

test("after so many failed calls in a row publishes fail at once, those too that wait, and say why", () => {
  const t = setUp({ policy: { breaker: { failures: 2, pauseMs: 30_000 } } });
  t.publish("a");
  t.publish("b", { topic: "other" });
  t.answer(0, away);
  expect(t.outbox.breaker).toEqual({ state: "closed", reason: "" });
  t.answer(1, away);
  t.publish("c");
  expect(t.results).toEqual({ a: OPEN, b: OPEN, c: OPEN });
  expect(t.outbox.breaker).toEqual({ state: "open", reason: "2 calls of the broker in a row failed, the last with: connection refused" });
  t.clock.advance(29_999);
  t.publish("d");
  expect([t.calls.length, t.results.d, t.budget.used]).toEqual([2, OPEN, 0]);
});

test("half open it tries one call, though more could be under way, and closes when that succeeds", () => {
  const t = setUp({ policy: { breaker: { failures: 1, pauseMs: 1_000 } }, capabilities: { publishPipeline: 3 } });
  t.publish("a");
  t.answer(0, away);
  t.clock.advance(1_000);
  expect(t.outbox.breaker?.state).toBe("half-open");
  t.publish("b", { topic: "x" });
  t.publish("c", { topic: "y" });
  t.publish("d", { topic: "z" });
  expect(t.names()).toEqual(["a", "b"]);
  t.answer(1);
  t.publish("e", { topic: "x" });
  expect([t.names(), t.outbox.breaker]).toEqual([["a", "b", "cd", "e"], { state: "closed", reason: "" }]);
});

test("a probe that fails opens it again, and nobody waits for that in vain", () => {
  const t = setUp({ policy: { breaker: { failures: 1, pauseMs: 1_000 } } });
  t.publish("a");
  t.answer(0, away);
  t.clock.advance(1_000);
  t.publish("b");
  t.publish("c");
  t.answer(1, replyLost);
  const why = "unavailable: the circuit breaker is open for 1000 ms: 1 calls of the broker in a row failed, the last with: reply lost";
  expect([t.results.b, t.results.c, t.outbox.breaker?.state]).toEqual([why, why, "open"]);
  t.clock.advance(1_000);
  t.publish("d");
  t.answer(2);
  expect([t.results.d, t.outbox.breaker?.state]).toEqual(["ok", "closed"]);
});

test("a call from before it opened is no probe, and keeps none from the broker", () => {
  const t = setUp({ policy: { breaker: { failures: 1, pauseMs: 1_000 } }, capabilities: { publishPipeline: 3 } });
  for (const name of "abc") t.publish(name, { topic: name });
  t.answer(0, away);
  t.clock.advance(1_000);
  t.publish("d", { topic: "d" });
  t.publish("e", { topic: "e" });
  expect(t.names()).toEqual(["a", "b", "c", "d"]);
  t.answer(1);
  expect([t.names().length, t.outbox.breaker?.state]).toEqual([4, "half-open"]);
  t.answer(3);
  expect([t.names().at(-1), t.outbox.breaker]).toEqual(["e", { state: "closed", reason: "" }]);
  t.answer(2, away);
  expect([t.results.b, t.outbox.breaker?.state]).toEqual(["ok", "closed"]);
});

test("a call that stores something is none that failed, nor is one that only refuses a message for good", () => {
  const t = setUp({ policy: { breaker: { failures: 1, pauseMs: 1_000 } } });
  t.publish("a");
  t.answer(0, new PubSubError("invalid_argument", "no such topic", { permanent: true }));
  t.publish("b");
  t.publish("c");
  t.publish("d");
  t.answer(1);
  const [c, d] = t.calls[2]?.batch ?? [];
  c?.done();
  d?.done(away);
  expect(t.outbox.breaker?.state).toBe("closed");
  t.clock.advance(50);
  t.answer(3);
  expect(t.results).toEqual({ a: "invalid_argument: no such topic", b: "ok", c: "ok", d: "ok" });
});

test("what was with the broker when the breaker opened is answered as the broker answers it", () => {
  const t = setUp({ policy: { breaker: { failures: 1, pauseMs: 1_000 } }, capabilities: { publishPipeline: 3 } });
  for (const name of "abc") t.publish(name, { topic: name });
  t.answer(0, away);
  t.answer(1);
  t.answer(2, away);
  expect([t.results.b, t.results.c, t.outbox.breaker?.state]).toEqual(["ok", "unavailable: connection refused", "open"]);
  expect([t.budget.used, t.calls.length]).toEqual([0, 3]);
});

test("a publisher without patience opens no breaker for the others, and a probe of its is none", () => {
  const t = setUp({ policy: { breaker: { failures: 1, pauseMs: 1_000 } } });
  t.publish("a", { deadline: t.clock.now() + 40 });
  t.clock.advance(40);
  t.answer(0, replyLost);
  expect(t.outbox.breaker?.state).toBe("closed");
  t.publish("b", { deadline: t.clock.now() + 300 });
  t.clock.advance(300);
  t.answer(1, replyLost);
  expect([t.calls[1]?.signal.aborted, t.outbox.breaker?.state]).toEqual([true, "open"]);
  t.clock.advance(1_000);
  t.publish("c", { deadline: t.clock.now() + 40 });
  t.clock.advance(40);
  t.answer(2, replyLost);
  expect(t.outbox.breaker?.state).toBe("half-open");
  t.publish("d");
  t.answer(3);
  expect([t.results.d, t.outbox.breaker?.state]).toEqual(["ok", "closed"]);
});

test("no more than the rate is published, in its order, and nothing waits longer than it must", () => {
  const t = setUp({ policy: { rate: 10 } });
  for (const name of "abcd") t.publish(name);
  t.answer(0);
  t.publish("e");
  // The sweep's, and one for the next turn.
  expect([t.names(), t.clock.timers]).toEqual([["a"], 2]);
  t.clock.advance(99);
  expect(t.calls.length).toBe(1);
  t.clock.advance(1);
  t.answer(1);
  t.clock.advance(100);
  t.answer(2);
  expect([t.names(), t.results]).toEqual([["a", "b", "c"], { a: "ok", b: "ok", c: "ok" }]);
  t.clock.advance(100);
  expect(t.names()).toEqual(["a", "b", "c", "d"]);
});

test("a burst of a tenth of a second goes out in one call; what a call did not need is not lost", () => {
  const t = setUp({ policy: { rate: 100 } });
  t.publish("a");
  t.answer(0);
  const names = "bcdefghijklm";
  for (const name of names) t.publish(name);
  t.answer(1);
  t.answer(2);
  expect(t.names()).toEqual(["a", "b", "cdefghij"]);
});

test("two topics take turns within the rate", () => {
  const t = setUp({ policy: { rate: 10 } });
  for (const name of "abc") t.publish(name);
  t.publish("x", { topic: "other" });
  for (let call = 0; call < 3; call++) {
    t.answer(call);
    t.clock.advance(100);
  }
  expect(t.names()).toEqual(["a", "b", "x", "c"]);
});

test("who gets no turn in time is told so, and what gets one has time left with the broker", () => {
  const t = setUp({ policy: { rate: 1, timeoutMs: 4_000 } });
  for (const name of "abcdefg") t.publish(name);
  t.answer(0);
  for (let call = 1; call < 4; call++) {
    t.clock.advance(1_000);
    t.answer(call);
  }
  t.clock.advance(800);
  const late = "resource_exhausted: its turn did not come in time: at most 1 messages a second are published";
  expect(t.results).toEqual({ a: "ok", b: "ok", c: "ok", d: "ok", e: late, f: late, g: late });
  expect(t.budget.used).toBe(0);
});

test("a silent broker is not mistaken for the rate", () => {
  const t = setUp({ policy: { rate: 10 } });
  t.publish("a");
  t.publish("b");
  t.clock.advance(5_100);
  const silent = "unavailable: the broker did not answer in time";
  expect(t.results).toEqual({ a: silent, b: silent });
});

test("a broker that has just become silent is not mistaken for the rate either", () => {
  const t = setUp({ policy: { rate: 100 } });
  t.publish("a");
  t.publish("b", { deadline: t.clock.now() + 200 });
  t.clock.advance(200);
  expect(t.results).toEqual({ b: "unavailable: the broker did not answer in time" });
});

test("a rate that is slower than the timeout is named", () => {
  const t = setUp({ policy: { rate: 1, timeoutMs: 1_000 } });
  t.publish("a");
  t.answer(0);
  t.publish("b");
  t.clock.advance(800);
  expect(t.results.b).toBe("resource_exhausted: its turn did not come in time: at most 1 messages a second are published");
});

test("what was tried before the breaker opened may have been stored, and what was not certainly has not", () => {
  const t = setUp({ policy: { breaker: { failures: 1, pauseMs: 1_000 } } });
  const outcomes: (string | undefined)[] = [];
  for (const topic of ["t", "t", "u"])
    t.outbox.publish({ topic, data: Buffer.of(), attributes: {} }, { published: (error) => outcomes.push(error?.outcome) });
  t.answer(0, replyLost);
  expect(outcomes).toEqual(["unknown", "rejected", "rejected"]);
});

test("closing leaves no timer of a policy behind", () => {
  const late = setUp({ policy: { breaker: { failures: 1, pauseMs: 1_000 } } });
  late.publish("a");
  late.clock.advance(200);
  late.outbox.close();
  late.answer(0, away);
  expect(late.clock.timers).toBe(0);
  const t = setUp({ policy: { rate: 10, breaker: { failures: 1, pauseMs: 1_000 } } });
  for (const name of "ab") t.publish(name);
  t.answer(0, away);
  t.outbox.close();
  expect(t.clock.timers).toBe(0);
  const waiting = setUp({ policy: { rate: 10 } });
  for (const name of "ab") waiting.publish(name);
  waiting.answer(0);
  waiting.outbox.close();
  expect([waiting.clock.timers, waiting.results.b]).toEqual([0, "unavailable: the broker did not answer in time"]);
});

test("with twice the rate for long, what is let through is as much as the rate, and is not late at a slow broker", () => {
  const t = setUp({ policy: { rate: 100, timeoutMs: 1_000 } });
  let answered = 0;
  for (let ms = 0; ms < 20_000; ms += 5) {
    t.publish(String(ms));
    for (; answered < t.calls.length; answered++) {
      const call = answered;
      t.clock.after(100, () => t.answer(call));
    }
    t.clock.advance(5);
  }
  const stored = Object.values(t.results).filter((result) => result === "ok").length;
  expect(stored).toBeGreaterThan(1_850);
  expect(Object.values(t.results).filter((result) => result !== "ok" && !result.startsWith("resource_exhausted"))).toEqual([]);
});
