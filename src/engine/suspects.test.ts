import { expect, test } from "vitest";
import { PubSubError } from "../pubsub/error.ts";
import { Budget } from "./budget.ts";
import { Flight } from "./flight.ts";
import { setUp } from "./reader.fixture.ts";

type Rig = ReturnType<typeof setUp>;

/** The app is lost with all that it has, and comes back. */
function die(t: Rig, ...names: readonly string[]): void {
  t.reach(false);
  for (const name of names) t.answer(name, "lost", "connection reset");
  t.reach(true);
}

test("what the app had when it was lost is called first, alone and one at a time, and is no failure", () => {
  const t = setUp();
  for (const name of ["a", "b"]) t.lend(name);
  die(t, "a", "b");
  t.lend("c");
  expect(t.ids()).toBe("aba");
  t.answer("a", "success");
  expect(t.ids()).toBe("abab");
  t.answer("b", "success");
  expect([t.ids(), t.log]).toEqual(["ababc", ["ack a", "ack b"]]);
});

test("three deaths with the same message alone are one failure, and the others arrive", () => {
  const t = setUp();
  for (const name of ["a", "b"]) t.lend(name);
  die(t, "a", "b");
  for (let death = 1; death <= 3; death++) {
    expect(t.log).toEqual([]);
    die(t, "a");
    if (t.ids().endsWith("b")) t.answer("b", "success");
    t.log.splice(0, t.log.length, ...t.log.filter((line) => line !== "ack b"));
  }
  expect(t.log).toEqual(["keep 1 a"]);
  t.lend("c");
  expect(t.ids().endsWith("c")).toBe(true);
});

test("a refused connection makes no suspect", () => {
  const t = setUp();
  for (const name of ["a", "b"]) t.lend(name);
  t.reach(false);
  for (const name of ["a", "b"]) t.answer(name, "unreachable");
  t.reach(true);
  expect(t.ids()).toBe("abba");
});

test("a suspect that was given back meanwhile is one when it comes again", () => {
  const t = setUp();
  t.lend("a");
  t.reach(false);
  t.answer("a", "lost");
  t.clock.advance(10_000);
  expect(t.log).toEqual(["release a"]);
  t.reach(true);
  t.lend("b");
  t.lend("a");
  t.lend("c");
  expect(t.ids()).toBe("ab");
  t.answer("b", "success");
  expect(t.ids()).toBe("aba");
  t.answer("a", "success");
  expect(t.ids()).toBe("abac");
});

test("a suspect of one subscription holds up the others of the same app until it is cleared or gone", () => {
  const shared = { flight: new Flight(), memory: new Budget(1e9) };
  const [one, other] = [setUp({}, {}, shared), setUp({}, {}, shared)];
  one.lend("a");
  die(one, "a");
  other.lend("x");
  expect([one.ids(), other.ids()]).toEqual(["aa", ""]);
  one.answer("a", "success");
  expect(other.ids()).toBe("x");
  other.answer("x", "success");
  one.lend("b");
  one.reach(false);
  one.answer("b", "lost");
  other.lend("y");
  expect(other.ids()).toBe("x");
  one.clock.advance(10_000);
  expect([one.log.at(-1), other.ids()]).toEqual(["release b", "xy"]);
});

test("a stop with a suspect in flight lets the other subscriptions go on", async () => {
  const shared = { flight: new Flight(), memory: new Budget(1e9) };
  const [one, other] = [setUp({}, {}, shared), setUp({}, {}, shared)];
  one.lend("a");
  die(one, "a");
  other.lend("x");
  await one.reader.drain(AbortSignal.abort());
  expect(other.ids()).toBe("x");
});

test("a lost lease ends the suspicion here", () => {
  const t = setUp();
  const delivery = t.lend("a");
  t.reach(false);
  t.answer("a", "lost");
  t.reader.lost([delivery], new PubSubError("unavailable", "gone"));
  t.reach(true);
  t.lend("b");
  expect(t.ids()).toBe("ab");
});
