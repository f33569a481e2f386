import { expect, test } from "vitest";
import type { AppCalls } from "../app/channel.ts";
import { POLICY } from "../conformance/engine/policy.ts";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import { PubSubError } from "../pubsub/error.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Order, SubscribeRequest, Subscription } from "../pubsub/subscription.ts";
import { Supervised } from "./supervise.ts";

const settled = () => new Promise(setImmediate);

/** A broker whose answers to `subscribe` the test gives. */
function setUp(order: Order = "none", waiting = 0, here?: number) {
  const clock = new SteppedClock(0);
  const opened: { readonly answer: PromiseWithResolvers<Subscription>; readonly died: PromiseWithResolvers<PubSubError | undefined> }[] =
    [];
  const windows: number[] = [];
  const refusals: string[] = [];
  let closes = 0;
  const pubsub = {
    capabilities: { ordering: "none" },
    subscribe: () => {
      const one = { answer: Promise.withResolvers<Subscription>(), died: Promise.withResolvers<PubSubError | undefined>() };
      opened.push(one);
      return one.answer.promise;
    },
  } as unknown as PubSub;
  const channel = { reachable: true, onReachable: () => () => undefined } as unknown as AppCalls;
  const request: SubscribeRequest = { topic: "t", group: "app1", start: "earliest", order, options: {} };
  const policy = { ...POLICY, maxInFlight: 1, maxPending: 7, maxPendingBytes: 100 };
  const options = {
    pubsub: "redis",
    group: "app1",
    order,
    rawPayload: false,
    policy,
    refused: (reason: string) => void refusals.push(reason),
  } as const;
  const supervised = new Supervised(pubsub, request, channel, clock, options);
  const accept = async (index: number) => {
    opened[index]?.answer.resolve({
      window: (messages: number) => windows.push(messages),
      close: () => {
        closes += 1;
        opened[index]?.died.resolve(undefined);
        return Promise.resolve();
      },
      backlog: () => Promise.resolve({ messages: waiting, oldestMs: undefined, ...(here !== undefined && { here }) }),
      closed: opened[index].died.promise,
    } as unknown as Subscription);
    await settled();
  };
  return { clock, opened, windows, refusals, supervised, accept, closes: () => closes };
}

test("a broker that is absent is asked until it is there", async () => {
  const t = setUp();
  t.opened[0]?.answer.reject(new PubSubError("unavailable", "connection refused"));
  await settled();
  expect(t.supervised.status).toMatchObject({ state: "starting", reason: "connection refused" });
  t.clock.advance(100);
  await t.accept(1);
  expect([t.supervised.status.state, t.windows]).toEqual(["running", [7]]);
});

test("a reader that died is made again", async () => {
  const t = setUp();
  await t.accept(0);
  t.opened[0]?.died.resolve(new PubSubError("unavailable", "stream gone"));
  await settled();
  expect(t.supervised.status).toMatchObject({ state: "starting", reason: "stream gone" });
  t.clock.advance(100);
  await t.accept(1);
  expect([t.supervised.status.state, t.windows]).toEqual(["running", [7, 7]]);
});

test("a reader that dies as soon as it is opened is made again ever more rarely, and is told once; one that has worked, soon", async () => {
  const t = setUp();
  const denied = new PubSubError("permission_denied", "not allowed to read", { permanent: true });
  for (const [index, wait] of [100, 200, 400, 800].entries()) {
    await t.accept(index);
    t.opened[index]?.died.resolve(denied);
    await settled();
    t.clock.advance(wait - 1);
    expect(t.opened).toHaveLength(index + 1);
    t.clock.advance(1);
  }
  expect(t.refusals).toEqual(["not allowed to read"]);
  await t.accept(4);
  t.clock.advance(10_000);
  t.opened[4]?.died.resolve(denied);
  await settled();
  t.clock.advance(100);
  expect([t.opened.length, t.refusals.length]).toEqual([6, 2]);
});

test("closing pauses, closes the reader, and opens no other", async () => {
  const t = setUp();
  await t.accept(0);
  await t.supervised.close(new AbortController().signal);
  t.opened[0]?.died.resolve(undefined);
  await settled();
  t.clock.advance(10_000);
  expect([t.supervised.status.state, t.windows, t.closes(), t.opened.length]).toEqual(["closed", [7, 0], 1, 1]);
});

test("an order that the broker cannot keep is refused, and says so", async () => {
  const t = setUp("key");
  await settled();
  expect(t.opened).toEqual([]);
  t.clock.advance(10_000);
  await settled();
  expect(t.supervised.status).toMatchObject({
    state: "starting",
    reason: "order: key cannot be kept: this broker, as it is configured, keeps none",
  });
  // Told once, however often it is tried.
  expect(t.refusals).toEqual(["order: key cannot be kept: this broker, as it is configured, keeps none"]);
});

test("closing does not wait longer than it may for a broker that is silent, and what opens after it is closed", async () => {
  const t = setUp();
  await t.supervised.close(AbortSignal.abort());
  await t.accept(0);
  expect([t.closes(), t.windows]).toEqual([1, []]);
});

test("a reader that gets nothing although messages wait is made anew", async () => {
  const t = setUp("none", 3);
  await t.accept(0);
  for (const look of [1, 2]) {
    expect(t.closes()).toBe(0);
    t.clock.advance(30_000);
    await settled();
    expect(t.closes()).toBe(look - 1);
  }
  t.clock.advance(100);
  await t.accept(1);
  expect(t.supervised.status).toMatchObject({ state: "running", rebuilt: 1 });
});

test.each([
  ["there is nothing", 0, undefined],
  ["all that waits is with others", 3, 0],
])("a reader with nothing to read is left alone: %s", async (_, waiting, here) => {
  const t = setUp("none", waiting, here);
  await t.accept(0);
  for (let look = 1; look <= 5; look++) {
    t.clock.advance(30_000);
    await settled();
  }
  expect(t.closes()).toBe(0);
});
