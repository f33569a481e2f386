import { expect, test } from "vitest";
import type { AppSubscription } from "../app/channel.ts";
import { definition } from "../components/in-memory/index.ts";
import { PlayedApp } from "../conformance/engine/played-app.ts";
import { POLICY, PUBLISHING } from "../conformance/engine/policy.ts";
import { UNHEARD } from "../conformance/engine/sidecar.ts";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { SubscribeRequest } from "../pubsub/subscription.ts";
import { Engine } from "./engine.ts";

const OPTIONS = {
  publish: PUBLISHING,
  publishBuffer: 1_000_000,
  maxMessageBytes: 1_000_000,
  deliveryBuffer: 1_000_000,
  delivery: POLICY,
} as const;

test("a remembered group is made in the order that it asks for, and one that is declared only as it is declared", async () => {
  const made: string[] = [];
  const note = ({ topic, order }: SubscribeRequest): void => void made.push(`${topic} ${order}`);
  const context = { name: "broker", appId: "app1", process: "host:1", dataDir: "", clock: new SteppedClock() };
  const broker = definition.open(definition.options.parse({}), context);
  const pubsub: PubSub = {
    capabilities: broker.capabilities,
    publish: (batch, signal) => broker.publish(batch, signal),
    subscribe: (request, sink) => {
      note(request);
      return broker.subscribe(request, sink);
    },
    ensure: (topic, groups, signal) => {
      for (const group of groups) note(group);
      return broker.ensure(topic, groups, signal);
    },
    inspect: (signal) => broker.inspect(signal),
    ping: (signal) => broker.ping(signal),
    close: (signal) => broker.close(signal),
  };
  const engine = new Engine(new Map([["broker", { pubsub, group: "app1" }]]), new PlayedApp([], 1_000), context.clock, OPTIONS, UNHEARD);
  await engine.look();
  const of = (topic: string, metadata = {}) => ({ pubsub: "broker", topic, metadata });
  engine.start([{ ...of("declared"), order: "key" }], [of("declared"), of("asked", { order: "key" }), of("plain")]);
  await new Promise(setImmediate);
  expect(made.sort()).toEqual(["asked key", "declared key", "plain none"]);
  await engine.drain(AbortSignal.timeout(1_000));
  await broker.close(AbortSignal.timeout(1_000));
});

test("a component's own keys say how it is read, where a subscription does not", async () => {
  const clock = new SteppedClock();
  const broker = definition.open(definition.options.parse({}), { name: "broker", appId: "app1", process: "host:1", dataDir: "", clock });
  const publish = (topic: string) => {
    broker.publish([{ topic, data: Buffer.from(topic), attributes: {}, done: () => undefined }], new AbortController().signal);
  };
  for (const topic of ["theirs", "own"]) {
    await broker.ensure(topic, [], AbortSignal.timeout(1_000));
    publish(topic);
  }
  const source = { pubsub: broker, group: "app1", reading: { start: "latest", maxInFlight: 1 } } as const;
  const app = new PlayedApp([], 1_000);
  const engine = new Engine(new Map([["broker", source]]), app, clock, OPTIONS, UNHEARD);
  await engine.look();
  const own = { pubsub: "broker", topic: "own", metadata: {}, start: "earliest", policy: { maxInFlight: 2 } } as const;
  engine.start([{ pubsub: "broker", topic: "theirs", metadata: {} }, own], []);
  await expect.poll(() => engine.subscriptions.map(({ state }) => state)).toEqual(["running", "running"]);
  for (const topic of ["own", "theirs", "theirs"]) publish(topic);
  await expect
    .poll(() => engine.subscriptions.map(({ topic, inFlight, pending }) => [topic, inFlight, pending]))
    .toEqual([
      ["theirs", 1, 2],
      ["own", 2, 2],
    ]);
  for (let calls = 0; calls < 4; calls++) (await app.one()).answer("success");
  await engine.drain(AbortSignal.timeout(1_000));
  await broker.close(AbortSignal.timeout(1_000));
});

test("a subscription that the app wants otherwise is opened so once its old reader is closed", async () => {
  const clock = new SteppedClock();
  const context = { name: "broker", appId: "app1", process: "host:1", dataDir: "", clock };
  const broker = definition.open(definition.options.parse({}), context);
  const app = new PlayedApp([{ pubsub: "broker", topic: "t", metadata: {} }], 1_000);
  const engine = new Engine(new Map([["broker", { pubsub: broker, group: "app1" }]]), app, clock, OPTIONS, UNHEARD);
  await engine.look();
  engine.start([], []);
  await expect.poll(() => engine.subscriptions.map(({ state }) => state)).toEqual(["running"]);
  broker.publish([{ topic: "t", data: Buffer.from("a"), attributes: {}, done: () => undefined }], new AbortController().signal);
  const call = await app.one();
  app.wanted = [{ pubsub: "broker", topic: "t", metadata: { order: "key" } }];
  app.go();
  app.comeBack();
  await new Promise(setImmediate);
  // The old one has a call under way.
  expect(engine.subscriptions).toEqual([]);
  call.answer("success");
  await expect.poll(() => engine.subscriptions.map(({ state, order }) => [state, order])).toEqual([["running", "key"]]);
  expect(engine.orphans).toEqual([]);
  await engine.drain(AbortSignal.timeout(1_000));
  await broker.close(AbortSignal.timeout(1_000));
});

/** An app that reads two topics, and has nothing yet. */
async function ordersAndAudit() {
  const clock = new SteppedClock();
  const context = { name: "broker", appId: "app1", process: "host:1", dataDir: "", clock };
  const broker = definition.open(definition.options.parse({}), context);
  const [orders, audit] = ["orders", "audit"].map((topic) => ({ pubsub: "broker", topic, metadata: {} })) as [
    AppSubscription,
    AppSubscription,
  ];
  const app = new PlayedApp([orders, audit], 1_000);
  const engine = new Engine(new Map([["broker", { pubsub: broker, group: "app1" }]]), app, clock, OPTIONS, UNHEARD);
  await engine.look();
  engine.start([], []);
  await expect.poll(() => engine.subscriptions.map(({ state }) => state)).toEqual(["running", "running"]);
  const publish = (topic: string) =>
    broker.publish([{ topic, data: Buffer.from(topic), attributes: {}, done: () => undefined }], new AbortController().signal);
  return { clock, broker, orders, audit, app, engine, publish };
}

test("a new version of the app gets nothing of a topic that it does not list, and all of it once it does", async () => {
  const { clock, broker, orders, audit, app, engine, publish } = await ordersAndAudit();
  app.go();
  for (const { topic } of [orders, audit]) publish(topic);
  app.wanted = [audit];
  app.comeBack();
  const first = await app.one();
  expect([first.event.topic, app.calls.length]).toEqual(["audit", 1]);
  first.answer("success");
  expect(engine.subscriptions.map(({ topic, state, reason }) => [topic, state, reason])).toEqual([
    ["orders", "paused", "the app no longer says that it subscribes to it"],
    ["audit", "running", ""],
  ]);
  app.wanted = [orders, audit];
  clock.advance(1_000);
  const second = await app.one();
  expect([second.event.topic, app.calls.length]).toEqual(["orders", 2]);
  second.answer("success");
  await engine.drain(AbortSignal.timeout(1_000));
  await broker.close(AbortSignal.timeout(1_000));
});

test("what was with the app when it was lost, and is not wanted by its new version, keeps no other subscription waiting", async () => {
  const { broker, audit, app, engine, publish } = await ordersAndAudit();
  publish("orders");
  const fatal = await app.one();
  app.go();
  fatal.answer("lost");
  publish("audit");
  app.wanted = [audit];
  app.comeBack();
  expect((await app.one()).event.topic).toBe("audit");
  await engine.drain(AbortSignal.abort());
  await broker.close(AbortSignal.timeout(1_000));
});

test("one subscription that cannot be closed cuts short nobody else's calls", async () => {
  const clock = new SteppedClock();
  const context = { name: "broker", appId: "app1", process: "host:1", dataDir: "", clock };
  const broker = definition.open(definition.options.parse({}), context);
  const refusing: PubSub = {
    capabilities: broker.capabilities,
    publish: (batch, signal) => broker.publish(batch, signal),
    async subscribe(request, sink) {
      const subscription = await broker.subscribe(request, sink);
      const close = (signal: AbortSignal) => (request.topic === "bad" ? Promise.reject(new Error("refused")) : subscription.close(signal));
      return {
        closed: subscription.closed,
        window: (messages, bytes) => subscription.window(messages, bytes),
        flush: (signal) => subscription.flush(signal),
        close,
      };
    },
    ensure: (topic, groups, signal) => broker.ensure(topic, groups, signal),
    inspect: (signal) => broker.inspect(signal),
    ping: (signal) => broker.ping(signal),
    close: (signal) => broker.close(signal),
  };
  const app = new PlayedApp(
    ["bad", "good"].map((topic) => ({ pubsub: "broker", topic, metadata: {} })),
    1_000,
  );
  const engine = new Engine(new Map([["broker", { pubsub: refusing, group: "app1" }]]), app, clock, OPTIONS, UNHEARD);
  await engine.look();
  engine.start([], []);
  await expect.poll(() => engine.subscriptions.map(({ state }) => state)).toEqual(["running", "running"]);
  broker.publish([{ topic: "good", data: Buffer.from("a"), attributes: {}, done: () => undefined }], new AbortController().signal);
  const call = await app.one();
  let over = false;
  const drained = engine.drain(AbortSignal.timeout(5_000)).finally(() => {
    over = true;
  });
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  expect(over).toBe(false);
  call.answer("success");
  await expect(drained).rejects.toThrow("refused");
  await broker.close(AbortSignal.timeout(1_000));
});

test.each([
  [{ keepsWithoutGroup: true }, []],
  [{ keepsWithoutGroup: true, ungroupedRetentionMs: 1_000 }, ["dead app1"]],
  [{ keepsWithoutGroup: false }, ["dead app1"]],
])("where dead letters are kept for ever only for a group, one is made for them: %j", async (claims, groups) => {
  const clock = new SteppedClock();
  const context = { name: "broker", appId: "app1", process: "host:1", dataDir: "", clock };
  const broker = definition.open(definition.options.parse({}), context);
  const { ungroupedRetentionMs: _, ...rest } = broker.capabilities;
  const made: string[] = [];
  const pubsub: PubSub = {
    capabilities: { ...rest, ...claims },
    publish: (batch, signal) => broker.publish(batch, signal),
    subscribe: (request, sink) => broker.subscribe(request, sink),
    ensure: (topic, all, signal) => {
      made.push(...all.map(({ group }) => `${topic} ${group}`));
      return broker.ensure(topic, all, signal);
    },
    inspect: (signal) => broker.inspect(signal),
    ping: (signal) => broker.ping(signal),
    close: (signal) => broker.close(signal),
  };
  const app = new PlayedApp([{ pubsub: "broker", topic: "t", metadata: { deadLetterTopic: "dead" } }], 1_000);
  const engine = new Engine(new Map([["broker", { pubsub, group: "app1" }]]), app, clock, OPTIONS, UNHEARD);
  await engine.look();
  engine.start([], []);
  await expect.poll(() => engine.subscriptions.map(({ state }) => state)).toEqual(["running"]);
  expect(made).toEqual(groups);
  await engine.drain(AbortSignal.timeout(1_000));
  await broker.close(AbortSignal.timeout(1_000));
});
