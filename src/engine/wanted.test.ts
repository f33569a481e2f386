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
    awayBecause: undefined as string | undefined,
    onReachable: (fn: (reachable: boolean) => void) => {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
    subscriptions: () => {
      const answer = Promise.withResolvers<readonly AppSubscription[] | undefined>();
      asked.push(answer);
      return answer.promise;
    },
  };
  const log: string[] = [];
  const changes: WantedChanges = {
    added: (one) => log.push(`+${one.topic}`),
    changed: (before, { topic, metadata }) => log.push(`${topic} ${JSON.stringify(before.metadata)} ${JSON.stringify(metadata)}`),
    removed: (one) => log.push(`-${one.topic}`),
    unanswered: (reason) => reason !== undefined && log.push(reason),
  };
  const wanted = new Wanted(channel as unknown as AppChannel, clock, changes, remembered);
  const turn = (reachable: boolean) => {
    channel.reachable = reachable;
    channel.awayBecause = reachable ? undefined : "away";
    for (const listener of listeners) listener(reachable);
  };
  const reach = () => turn(true);
  const answer = async (given: readonly AppSubscription[] | undefined | Error) => {
    const last = asked.at(-1);
    if (given instanceof Error) last?.reject(given);
    else last?.resolve(given);
    await new Promise(setImmediate);
  };
  return { clock, asked, wanted, log, turn, reach, answer };
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

test("an app that came back gets nothing before it has said what it wants, and nothing of what it leaves out", async () => {
  const t = setUp();
  t.reach();
  await t.answer([sub("a"), sub("b")]);
  const seen: string[] = [];
  for (const topic of ["a", "b"]) {
    const channel = t.wanted.channelOf(sub(topic));
    seen.push(`${topic} ${channel.reachable}`);
    channel.onReachable((reachable) => seen.push(`${topic} ${reachable}: ${channel.awayBecause}`));
  }
  const during = async (step: () => void | Promise<void>) => {
    seen.length = 0;
    await step();
    return [...seen];
  };
  expect(seen).toEqual(["a true", "b true"]);
  const unsaid = "the app has not said yet what it subscribes to";
  expect(await during(() => t.turn(false))).toEqual(["a false: away", "b false: away"]);
  expect(await during(t.reach)).toEqual([`a false: ${unsaid}`, `b false: ${unsaid}`]);
  const unlisted = "the app no longer says that it subscribes to it";
  expect(await during(() => t.answer([sub("b")]))).toEqual([`a false: ${unlisted}`, "b true: undefined"]);
  t.clock.advance(1_000);
  expect(await during(() => t.answer([sub("a"), sub("b")]))).toEqual(["a true: undefined"]);
  expect(t.log).toEqual(["+a", "+b"]);
  t.turn(false);
  t.reach();
  expect(await during(() => t.answer(new Error("not now")))).toEqual(["a true: undefined", "b true: undefined"]);
});

test("what was asked before the app came back says nothing of the one that is there now", async () => {
  const t = setUp();
  t.reach();
  t.turn(false);
  t.reach();
  expect(t.asked.length).toBe(1);
  await t.answer([sub("old")]);
  expect([t.asked.length, t.log]).toEqual([2, []]);
  await t.answer([sub("new")]);
  expect(t.log).toEqual(["+new"]);
});

test("two times that an app left something out add up to nothing if it was away between them", async () => {
  const t = setUp();
  t.reach();
  await t.answer([sub("a")]);
  t.reach();
  await t.answer([]);
  t.turn(false);
  t.clock.advance(60_000);
  await t.answer(new Error("away"));
  t.reach();
  await t.answer([]);
  expect(t.log).toEqual(["+a", "away"]);
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
