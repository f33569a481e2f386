import { expect, test } from "vitest";
import { PubSubError } from "../pubsub/error.ts";
import { away, replyLost, setUp } from "./outbox.fixture.ts";

test("the first goes out at once, and what arrives meanwhile goes out together", () => {
  const t = setUp();
  for (const name of "abcd") t.publish(name);
  expect(t.names()).toEqual(["a"]);
  t.answer(0);
  expect(t.names()).toEqual(["a", "bcd"]);
  t.answer(1);
  expect(t.results).toEqual({ a: "ok", b: "ok", c: "ok", d: "ok" });
  expect(t.budget.used).toBe(0);
});

test("what arrives at one go goes out together", async () => {
  const t = setUp({ options: { soon: queueMicrotask } });
  for (const name of "abcd") t.publish(name);
  expect(t.names()).toEqual([]);
  await Promise.resolve();
  expect(t.names()).toEqual(["abcd"]);
});

test("nobody is answered before the broker has answered", () => {
  const t = setUp();
  t.publish("a");
  t.clock.advance(4_900);
  expect(t.results).toEqual({});
});

test("a call that is slow keeps no other topic waiting, where the component takes slow ones, and only so many", () => {
  const t = setUp({ capabilities: { slowCalls: 2 } });
  for (const topic of "abcd") t.publish(topic, { topic });
  expect(t.names()).toEqual(["a"]);
  t.publish("A", { topic: "a" });
  t.clock.advance(60);
  expect(t.names()).toEqual(["a", "bcd"]);
  t.publish("e", { topic: "e" });
  t.clock.advance(60);
  expect(t.names()).toEqual(["a", "bcd", "e"]);
  t.publish("f", { topic: "f" });
  t.clock.advance(200);
  expect(t.names()).toEqual(["a", "bcd", "e"]);
  t.answer(1);
  expect(t.names()).toEqual(["a", "bcd", "e", "f"]);
  t.answer(0);
  expect(t.names()).toEqual(["a", "bcd", "e", "f"]);
  t.clock.advance(100);
  expect(t.names()).toEqual(["a", "bcd", "e", "f", "A"]);
  expect(t.results).toEqual({ a: "ok", b: "ok", c: "ok", d: "ok" });
});

test("a batch keeps to the broker's limits", () => {
  const t = setUp({ capabilities: { maxBatch: 2, maxBatchBytes: 10_000 } });
  for (const name of "abcd") t.publish(name);
  t.publish("e", { size: 50_000 });
  t.publish("f", { size: 50_000, topic: "other" });
  for (const call of [0, 1, 2, 3, 4]) t.answer(call);
  expect(t.names()).toEqual(["a", "bc", "f", "d", "e"]);
});

test("a busy topic takes its turn: it does not keep another from the broker", () => {
  const t = setUp({ capabilities: { maxBatch: 2 } });
  for (const name of "abcdefgh") t.publish(name);
  t.publish("x", { topic: "other" });
  for (const call of [0, 1, 2]) t.answer(call);
  expect(t.names()).toEqual(["a", "bc", "xd", "ef"]);
});

test("a broker that is away is tried again until it answers, in order", () => {
  const t = setUp();
  t.publish("a");
  t.publish("b");
  t.answer(0, away);
  t.publish("c");
  expect(t.calls.length).toBe(1);
  t.clock.advance(50);
  expect(t.names()).toEqual(["a", "abc"]);
  t.answer(1);
  expect(t.results).toEqual({ a: "ok", b: "ok", c: "ok" });
});

test("of a batch only what failed is sent again, before what came later", () => {
  const t = setUp();
  for (const name of "abc") t.publish(name);
  t.answer(0);
  const [b, c] = t.calls[1]?.batch ?? [];
  t.publish("d");
  b?.done(away);
  c?.done();
  t.clock.advance(50);
  expect(t.names()).toEqual(["a", "bc", "bd"]);
});

test("a topic that fails holds back no other", () => {
  const t = setUp();
  t.publish("a", { topic: "bad" });
  t.answer(0, away);
  t.publish("b", { topic: "good" });
  expect(t.names()).toEqual(["a", "b"]);
});

test("a broker that stays away fails the publish with its reason, once, at the timeout", () => {
  const t = setUp();
  t.publish("a");
  for (let call = 0; call < 12; call += 1) {
    t.answer(call, away);
    t.clock.advance(500);
  }
  t.answer(t.calls.length - 1, away);
  t.clock.advance(100);
  expect([t.results, t.answers]).toEqual([{ a: "unavailable: connection refused" }, ["a"]]);
  expect([t.budget.used, t.clock.timers]).toEqual([0, 0]);
});

test("a broker that became silent after it had said why fails the publish with that reason", () => {
  const t = setUp();
  t.publish("a");
  t.answer(0, away);
  t.clock.advance(50);
  t.calls[1]?.signal.addEventListener("abort", () => t.answer(1, new PubSubError("unavailable", "gave up", { outcome: "unknown" })));
  t.clock.advance(4_950);
  expect([t.calls[1]?.signal.aborted, t.results]).toEqual([true, { a: "unavailable: connection refused" }]);
});

test("a silent broker fails the publish at the timeout, and a late answer changes nothing", () => {
  const t = setUp();
  t.publish("a");
  t.clock.advance(5_100);
  expect(t.results).toEqual({ a: "unavailable: the broker did not answer in time" });
  expect(t.calls[0]?.signal.aborted).toBe(true);
  t.answer(0);
  t.clock.advance(100);
  expect([t.results.a, t.answers]).toEqual(["unavailable: the broker did not answer in time", ["a"]]);
  expect([t.budget.used, t.clock.timers]).toEqual([0, 0]);
});

test("the caller's deadline shortens the wait", () => {
  const t = setUp();
  t.publish("a", { deadline: t.clock.now() + 200 });
  t.clock.advance(250);
  expect(t.results.a).toMatch(/^unavailable/);
});

test("what the broker refuses for good is not tried again", () => {
  const t = setUp();
  t.publish("a");
  t.answer(0, new PubSubError("failed_precondition", "wrong type", { permanent: true }));
  t.clock.advance(1_000);
  expect([t.results.a, t.calls.length]).toEqual(["failed_precondition: wrong type", 1]);
});

test("an unknown outcome is tried again and counted where duplicates are allowed", () => {
  const t = setUp();
  t.publish("a");
  t.answer(0, replyLost);
  t.clock.advance(100);
  expect([t.calls.length, t.measures.possibleDuplicates]).toEqual([2, 1]);
});

test("where duplicates are refused, an unknown outcome is tried again only under a dedupId", () => {
  const t = setUp({ policy: { duplicates: "refuse" } });
  t.publish("a", { topic: "x" });
  t.answer(0, replyLost);
  t.publish("b", { topic: "y", dedupId: "1" });
  t.answer(1, replyLost);
  t.clock.advance(100);
  expect(t.results).toEqual({ a: "unavailable: reply lost" });
  expect(t.names()).toEqual(["a", "b", "b"]);
});

test("past the buffer's limit a publish is refused, and it fits again when others are done", () => {
  const t = setUp({ limit: 3_000 });
  t.publish("a", { size: 2_000 });
  t.publish("b", { size: 2_000 });
  expect(t.results.b).toMatch(/^resource_exhausted: 3000 bytes/);
  t.answer(0);
  t.publish("c", { size: 2_000 });
  t.answer(1);
  expect([t.results.a, t.results.c]).toEqual(["ok", "ok"]);
});

/** Of a topic on two servers, that of the key `b` is silent. */
function silent() {
  const t = setUp({ capabilities: { maxBatch: 3, slowCalls: 4, spreadsTopics: true } });
  const publish = (name: string, key: string | undefined) => t.publish(name, { key });
  const answer = (name: string, error?: PubSubError) =>
    t.calls
      .findLast(({ batch }) => batch.some(({ attributes }) => attributes.name === name))
      ?.batch.find(({ attributes }) => attributes.name === name)
      ?.done(error);
  for (const [name, key] of ["1a", "2b", "3a", "4c"].map((name) => [name, name.at(-1)] as const)) publish(name, key);
  return { ...t, publish, answer };
}

test("where one server of a topic is silent, what has other keys goes on after a moment, and what is behind goes out in its order", () => {
  const t = silent();
  t.answer("1a");
  expect(t.names()).toEqual(["1a", "2b3a4c"]);
  for (const name of ["3a", "4c"]) t.answer(name);
  t.publish("5b", "b");
  t.publish("6a", "a");
  expect(t.names().length).toBe(2);
  t.clock.advance(100);
  expect(t.names().slice(2)).toEqual(["6a"]);
  t.answer("6a");
  for (const name of ["7b", "8a"]) t.publish(name, name.at(-1));
  expect(t.names().slice(3)).toEqual(["8a"]);
  t.answer("8a");
  t.answer("2b", away);
  t.clock.advance(100);
  expect(t.names().slice(4)).toEqual(["2b5b7b"]);
});

test("what failed beside a silent server, and is to be tried again, is not overtaken by what came later", () => {
  const t = silent();
  t.answer("1a");
  t.answer("3a", away);
  t.answer("4c");
  for (const name of ["5a", "6c"]) t.publish(name, name.at(-1));
  t.clock.advance(100);
  expect(t.names().slice(2)).toEqual(["6c"]);
  t.answer("6c");
  t.answer("2b");
  t.clock.advance(100);
  expect(t.names().slice(3)).toEqual(["3a5a"]);
});

test("what is set aside holds back what has no key, if it has none itself, and ends for its publishers when their time is over", () => {
  const t = setUp({ capabilities: { slowCalls: 4, spreadsTopics: true }, policy: { timeoutMs: 1_000 } });
  t.publish("1", { key: undefined });
  t.clock.advance(100);
  t.publish("2", { key: undefined });
  t.publish("3k", { key: "k" });
  expect(t.names()).toEqual(["1", "3k"]);
  t.answer(1);
  t.clock.advance(1_000);
  expect(t.results).toMatchObject({ "1": expect.stringMatching(/^unavailable/), "2": expect.stringMatching(/^unavailable/), "3k": "ok" });
  t.answer(0, away);
  t.clock.advance(100);
  expect([t.budget.used, t.clock.timers]).toEqual([0, 0]);
});

test("as many as wait may be refused at once, one by one", () => {
  const t = setUp({ options: { maxBatch: 1 } });
  const MANY = 20_000;
  for (let index = 0; index <= MANY; index++) t.publish(`m${index}`);
  t.broker.refuses = new PubSubError("failed_precondition", "refused", { permanent: true });
  t.answer(0);
  expect([t.answers.length, t.calls.length, t.budget.used]).toEqual([MANY + 1, MANY + 1, 0]);
});

test("closing answers everybody and leaves no timer", () => {
  const t = setUp();
  for (const name of "ab") t.publish(name);
  t.outbox.close();
  t.publish("c");
  t.answer(0);
  expect(t.answers.sort()).toEqual(["a", "b", "c"]);
  for (const result of Object.values(t.results)) expect(result).toMatch(/^unavailable/);
  expect([t.budget.used, t.clock.timers]).toEqual([0, 0]);
});
