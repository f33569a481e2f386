import { expect, test } from "vitest";
import type { AppChannel, AppSubscription } from "../app/channel.ts";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import { Wanted, type WantedChanges } from "./wanted.ts";

const sub = (topic: string): AppSubscription => ({ pubsub: "redis", topic, metadata: {} });

/** An app whose answers the test gives, one after the other. */
function setUp(remembered: readonly AppSubscription[] = []) {
  const clock = new SteppedClock(0);
  const asked: PromiseWithResolvers<readonly AppSubscription[] | undefined>[] = [];
  const listeners = new Set<(reachable: boolean) => void>();
  const channel = {
    reachable: false,
    onReachable: (fn: (reachable: boolean) => void) => {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
    subscriptions: () => {
      const answer = Promise.withResolvers<readonly AppSubscription[] | undefined>();
      asked.push(answer);
      return answer.promise;
    },
  } as unknown as AppChannel;
  const log: string[] = [];
  const changes: WantedChanges = {
    added: (one) => log.push(`+${one.topic}`),
    changed: (before, { topic, metadata }) => log.push(`${topic} ${JSON.stringify(before.metadata)} ${JSON.stringify(metadata)}`),
    removed: (one) => log.push(`-${one.topic}`),
    unanswered: (reason) => reason !== undefined && log.push(reason),
  };
  const wanted = new Wanted(channel, clock, changes, remembered);
  const reach = () => {
    for (const listener of listeners) listener(true);
  };
  const answer = async (given: readonly AppSubscription[] | undefined | Error) => {
    const last = asked.at(-1);
    if (given instanceof Error) last?.reject(given);
    else last?.resolve(given);
    await new Promise(setImmediate);
  };
  return { clock, asked, wanted, log, reach, answer };
}

test("nothing is asked before the app is there, and then until it answers", async () => {
  const t = setUp();
  expect(t.asked.length).toBe(0);
  t.reach();
  await t.answer(new Error("not yet"));
  t.clock.advance(200);
  expect(t.asked.length).toBe(2);
  await t.answer([sub("a")]);
  expect(t.log).toEqual(["not yet", "+a"]);
});

test("an app that comes back is asked again, and only what is new is added", async () => {
  const t = setUp();
  t.reach();
  await t.answer([sub("a")]);
  t.reach();
  await t.answer([sub("a"), sub("b")]);
  expect(t.log).toEqual(["+a", "+b"]);
});

test("a removal takes effect after thirty seconds of the same answer", async () => {
  const t = setUp();
  t.reach();
  await t.answer([sub("a")]);
  t.reach();
  await t.answer([]);
  for (let passed = 0; passed < 2; passed += 1) {
    t.clock.advance(10_000);
    await t.answer([]);
  }
  expect(t.log).toEqual(["+a"]);
  t.clock.advance(10_000);
  await t.answer([]);
  expect(t.log).toEqual(["+a", "-a"]);
});

test("an app that answers too little while it starts loses nothing", async () => {
  const t = setUp();
  t.reach();
  await t.answer([sub("a")]);
  t.reach();
  await t.answer([]);
  t.clock.advance(10_000);
  await t.answer([sub("a")]);
  t.clock.advance(60_000);
  expect([t.log, t.asked.length]).toEqual([["+a"], 3]);
});

test("a failed answer changes nothing, and an app without the method has no subscriptions", async () => {
  const t = setUp();
  t.reach();
  await t.answer(undefined);
  expect(t.log).toEqual(["the app does not implement ListTopicSubscriptions"]);
  t.clock.advance(60_000);
  expect(t.asked.length).toBe(1);
  t.reach();
  await t.answer([sub("a")]);
  expect(t.log.at(-1)).toBe("+a");
});

test("closing ends the asking", async () => {
  const t = setUp();
  t.reach();
  t.wanted.close();
  await t.answer(new Error("cancelled"));
  t.clock.advance(60_000);
  t.reach();
  expect([t.asked.length, t.log, t.clock.timers]).toEqual([1, [], 0]);
});

test("what the app wants otherwise than before is told once", async () => {
  const t = setUp();
  t.reach();
  await t.answer([sub("a"), sub("b")]);
  const changed = [{ ...sub("a"), metadata: { order: "key" } }, sub("b")];
  for (let times = 0; times < 2; times++) {
    t.reach();
    await t.answer(changed);
  }
  expect(t.log).toEqual(["+a", "+b", 'a {} {"order":"key"}']);
});

test("what was wanted before this process, and is not any more, is removed once that is certain", async () => {
  const t = setUp([sub("old"), sub("kept")]);
  t.reach();
  for (let asked = 0; asked < 4; asked++) {
    await t.answer([sub("kept")]);
    t.clock.advance(10_000);
  }
  expect(t.log).toEqual(["+kept", "-old"]);
});
