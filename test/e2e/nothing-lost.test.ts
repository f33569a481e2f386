import { setTimeout as passes } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { definition as embedded } from "../../src/components/embedded/index.ts";
import { systemClock } from "../../src/pubsub/clock.ts";
import { TcpProxy } from "../brokers/proxy.ts";
import { type RedisServer, startRedis } from "../brokers/redis.ts";
import { withRedis } from "../brokers/with.ts";
import { type PendingAtBroker, PUBSUB, Rig, TOPIC } from "./rig.ts";
import type { Component } from "./sidecar.ts";

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.close();
});

async function rigOn(component: Component): Promise<Rig> {
  const rig = await Rig.make(component);
  rigs.push(rig);
  return rig;
}

/** Sidecar and app, at work. */
async function running(component: Component): Promise<Rig> {
  const rig = await rigOn(component);
  await rig.startApp();
  await rig.startSidecar();
  await rig.expectState("running");
  return rig;
}

/** What every durable broker must do alike, seen from outside. */
function theMainJob(component: () => Component, pending: PendingAtBroker): void {
  const start = () => running(component());

  test("the sidecar is killed under load and restarted", async () => {
    const rig = await start();
    rig.startLoad();
    for (let round = 1; round <= 3; round++) {
      await rig.acknowledgedAtLeast(300 * round);
      await rig.killSidecar();
      await rig.startSidecar();
    }
    await rig.acknowledgedAtLeast(1_200);
    await rig.stopLoad();
    await rig.expectAllArrived();
    await rig.expectSettled(pending);
  }, 90_000);

  test("the app is down for ten seconds: everything arrives, and no failure is counted", async () => {
    const rig = await start();
    rig.startLoad();
    await rig.acknowledgedAtLeast(200);
    await rig.stopApp();
    await rig.expectState("paused");
    // Ten seconds are what this is about: what is not with the app is released then.
    await passes(10_500);
    await rig.stopLoad();
    await rig.startApp();
    await rig.expectAllArrived();
    expect((await rig.shown())?.counts.retried).toBe(0);
    await rig.expectSettled(pending);
  }, 90_000);

  test("the sidecar starts before the app, which then gets what was published meanwhile", async () => {
    const rig = await rigOn(component());
    await rig.startSidecar();
    rig.startLoad();
    await rig.acknowledgedAtLeast(100);
    await rig.stopLoad();
    await rig.startApp();
    await rig.expectAllArrived();
    await rig.expectSettled(pending);
  }, 60_000);

  test("RETRY to every tenth event: it comes again after 0.5 to 2 s, while the others go on", async () => {
    const rig = await start();
    const first = new Map<string, number>();
    const waits: number[] = [];
    rig.handler = (event) => {
      if (Number(event.text().slice(1)) % 10 !== 0) return "success";
      const before = first.get(event.id);
      if (before !== undefined) waits.push(performance.now() - before);
      else first.set(event.id, performance.now());
      return before === undefined ? "retry" : "success";
    };
    rig.startLoad();
    await rig.acknowledgedAtLeast(200);
    await rig.stopLoad();
    await rig.expectAllArrived();
    await expect.poll(() => waits.length, { timeout: 10_000 }).toBe(first.size);
    expect(first.size).toBeGreaterThanOrEqual(20);
    expect(waits.filter((wait) => wait < 500 || wait > 2_000)).toEqual([]);
    expect((await rig.shown())?.counts.retried).toBe(first.size);
    await rig.expectSettled(pending);
  }, 60_000);

  test("payloads arrive as they were sent", async () => {
    const rig = await payloadsArrive(component());
    await rig.expectSettled(pending);
  }, 60_000);
}

/** Bytes, content types and metadata arrive as they were sent. */
async function payloadsArrive(component: Component): Promise<Rig> {
  const rig = await running(component);
  const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const payloads: readonly [data: Uint8Array, contentType: string][] = [
    [Buffer.from("12345678901234567890"), "application/json"],
    [Buffer.from("1.10"), "application/json"],
    [Buffer.from('{ "a" : [1.0, 1e400, "\\u00e9"] }'), "application/json"],
    [Buffer.from("[1,2"), "application/json"],
    [everyByte, "application/octet-stream"],
    [everyByte, "text/plain"],
    [everyByte, "application/json"],
    [everyByte, "application/vnd.example+json; charset=utf-8"],
    [Buffer.from("<a>é</a>"), "application/xml"],
    [Buffer.from("grüße 🙂"), "text/plain;charset=utf-8"],
    [new Uint8Array(0), "text/plain"],
    [new Uint8Array(0), "application/json"],
    [new Uint8Array(4_000_000).map((_, index) => index * 7), "image/png"],
  ];
  for (const [index, [data, contentType]] of payloads.entries()) {
    await rig.publisher.publishEvent(PUBSUB, TOPIC, data, { contentType, metadata: { index: String(index), mykey: "ключ" } });
    const event = await rig.took(({ metadata }) => metadata.index === String(index));
    expect([event.contentType, event.metadata.mykey, event.data.length]).toEqual([contentType, "ключ", data.length]);
    expect(Buffer.compare(event.data, data)).toBe(0);
  }
  return rig;
}

describe("embedded", () => {
  /** Asked of the file itself, while the sidecar is away. */
  const count = async (rig: Rig): Promise<number> => {
    const context = { name: PUBSUB, appId: "test", process: "test:1", dataDir: rig.directory, clock: systemClock };
    const store = embedded.open(embedded.options.parse({}), context);
    const quiet = { deliver: () => undefined, revoking: () => Promise.resolve(), lost: () => undefined, interrupted: () => undefined };
    const reader = await store.subscribe({ topic: TOPIC, group: "app1", start: "earliest", order: "none", options: {} }, quiet);
    const backlog = await reader.backlog?.(AbortSignal.timeout(5_000));
    await store.close(AbortSignal.timeout(5_000));
    return backlog?.messages ?? Number.NaN;
  };
  theMainJob(() => ({ type: "embedded", metadata: {} }), { count, whileRunning: false });
});

test("in-memory: payloads arrive as they were sent", async () => {
  const rig = await payloadsArrive({ type: "in-memory", metadata: {} });
  await expect.poll(async () => (await rig.shown())?.pending).toBe(0);
  expect(await rig.stopSidecar()).toBe(0);
}, 60_000);

withRedis("redis", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis({ appendfsync: "always" });
  });
  afterEach(() => redis.cli("FLUSHALL"));
  afterAll(() => redis.stop());

  const on = (port: number): Component => ({
    type: "redis",
    metadata: { redisHost: `127.0.0.1:${port}`, lease: "1s", heartbeat: "300ms", redeliverInterval: "200ms" },
  });
  /** What the group has not acknowledged, read or not. */
  const count = async (): Promise<number> => {
    const groups = await redis.cli("--json", "XINFO", "GROUPS", TOPIC);
    const [group] = JSON.parse(groups) as readonly { pending: number; lag: number | null }[];
    return (group?.pending ?? Number.NaN) + (group?.lag ?? Number.NaN);
  };
  const pending: PendingAtBroker = { count, whileRunning: true };
  theMainJob(() => on(redis.port), pending);

  test("Redis is killed under load and restarted", async () => {
    const rig = await running(on(redis.port));
    rig.startLoad();
    for (let round = 1; round <= 3; round++) {
      await rig.acknowledgedAtLeast(200 * round);
      await redis.kill();
      await redis.restart();
    }
    await rig.acknowledgedAtLeast(800);
    await rig.stopLoad();
    await rig.expectAllArrived();
    await rig.expectSettled(pending);
  }, 90_000);

  test("the sidecar starts before Redis, says so, and goes on once it is there", async () => {
    const late = await startRedis();
    await late.kill();
    const rig = await rigOn(on(late.port));
    await rig.startApp();
    await rig.startSidecar();
    await expect.poll(() => rig.log).toContain("the broker cannot be reached; trying again");
    await late.restart();
    await rig.publisher.publishEvent(PUBSUB, TOPIC, "after");
    await rig.took((event) => event.text() === "after");
    await rig.close();
    rigs.splice(rigs.indexOf(rig), 1);
    await late.stop();
  }, 60_000);

  test("entries of other programs are delivered as raw events, and stall nothing", async () => {
    const rig = await running(on(redis.port));
    const foreign = ['{"hello":1}', "not json", ""];
    const ids = new Map<string, string>();
    for (const data of foreign) ids.set(data, await redis.cli("XADD", TOPIC, "*", "data", data));
    ids.set('{"a":"1","b":"two"}', await redis.cli("XADD", TOPIC, "*", "a", "1", "b", "two"));
    await rig.publisher.publishEvent(PUBSUB, TOPIC, "ours");
    await rig.took((event) => event.text() === "ours");
    expect(rig.received.length).toBe(5);
    for (const [data, id] of ids) {
      const event = rig.received.find((one) => one.text() === data);
      expect(event?.id, data).toContain(id.replaceAll('"', ""));
    }
    await rig.expectSettled(pending);
  }, 60_000);

  test("a publish is not answered before Redis answered: its replies are swallowed", async () => {
    const proxy = await TcpProxy.start(redis.port);
    const rig = await running(on(proxy.port));
    const swallowed = proxy.swallowReplies("xadd");
    let answered = false;
    const publish = rig.publisher.publishEvent(PUBSUB, TOPIC, "kept back").then(() => {
      answered = true;
    });
    await swallowed;
    expect(answered).toBe(false);
    await expect(publish).rejects.toThrow("UNAVAILABLE");
    await proxy.forward();
    // It was stored all the same.
    await rig.took((event) => event.text() === "kept back");
    await rig.close();
    rigs.splice(rigs.indexOf(rig), 1);
    await proxy.stop();
  }, 60_000);
});
