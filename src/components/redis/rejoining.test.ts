import { afterEach, expect, test } from "vitest";
import { type RedisServer, startRedis } from "../../../test/brokers/redis.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import { type Bench, textOf } from "../../conformance/bench.ts";
import { benchOn } from "./bench.fixture.ts";

const GROUP = "group1";
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Without an append-only file: what SAVE wrote is what a crash leaves. */
async function server(): Promise<RedisServer> {
  const redis = await startRedis({ extraArgs: ["--appendonly", "no"] });
  cleanups.push(() => redis.stop());
  return redis;
}

/** Long leases, so that nothing comes again by itself. */
function benchAt(redis: RedisServer, more: Readonly<Record<string, unknown>> = {}): Bench {
  const times = { lease: "60s", heartbeat: "50ms", redeliverInterval: "50ms" };
  const bench = benchOn({ redisHost: `127.0.0.1:${redis.port}`, ...times, ...more });
  cleanups.push(() => bench.closeAll());
  return bench;
}

const destroyed = (redis: RedisServer, topic: string) => redis.cli("XGROUP", "DESTROY", topic, GROUP);
const keyed = (...texts: readonly string[]) => texts.map((data) => ({ data, key: "k" }));

/** Scripts that the server was asked for: each sign of life is one or more. */
async function scripts(redis: RedisServer): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.cli("INFO", "commandstats"))?.[1]);
}

withRedis("redis: a group that vanishes while its stream stays", () => {
  test.each([
    ["none", "destroyed", destroyed],
    ["key", "destroyed", destroyed],
    ["none", "younger than the copy that the server starts with", (redis: RedisServer) => redis.restart()],
    ["key", "younger than the copy that the server starts with", (redis: RedisServer) => redis.restart()],
  ] as const)(
    "order %s, %s: what was lent comes again, in order before what is new",
    async (order, _, vanish) => {
      const redis = await server();
      const bench = benchAt(redis);
      const pubsub = await bench.open();
      await bench.publish(pubsub, ...keyed("1", "2", "3"));
      await redis.cli("SAVE");
      const reading = await bench.read(pubsub, { order });
      await reading.sink.next(3);
      await vanish(redis, bench.topic);
      const publish = () => bench.publish(pubsub, ...keyed("4")).then(() => true, String);
      await expect.poll(publish, { timeout: 10_000 }).toBe(true);
      const pending = () => redis.cli("XPENDING", bench.topic, GROUP).catch(String);
      await expect.poll(pending, { timeout: 10_000 }).toMatch(/^4\n/);
      const { seen } = reading.sink;
      const all = ["1", "2", "3", "4"];
      if (order === "key") await expect.poll(() => seen.map(textOf)).toEqual(["1", "2", "3", ...all]);
      const acked: string[] = [];
      const settled = () => {
        acked.push(...seen.filter((delivery) => delivery.ack()).map(textOf));
        return acked.toSorted();
      };
      await expect.poll(settled).toEqual(all);
      await bench.flush(reading);
      expect(await pending()).toMatch(/^0/);
    },
    30_000,
  );

  test("what a dead reader had comes to the one that makes the group again", async () => {
    const redis = await server();
    const bench = benchAt(redis);
    const dead = await bench.open();
    const first = await bench.read(dead);
    await bench.publish(dead, "a");
    await first.sink.one();
    await dead.close(AbortSignal.abort()).catch(() => undefined);
    const pubsub = await bench.open();
    const second = await bench.read(pubsub);
    await bench.publish(pubsub, "b");
    (await second.sink.one()).ack();
    await bench.flush(second);
    await destroyed(redis, bench.topic);
    expect(textOf(await second.sink.one())).toBe("a");
  });

  test("what was acknowledged at the last sign of life does not come again, however long it is retained", async () => {
    const redis = await server();
    const bench = benchAt(redis, { retainMs: "1h" });
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "1", "2", "3");
    for (const delivery of await reading.sink.next(3)) delivery.ack();
    await bench.flush(reading);
    const before = await scripts(redis);
    await expect.poll(() => scripts(redis)).toBeGreaterThan(before + 5);
    await destroyed(redis, bench.topic);
    await bench.publish(pubsub, "4");
    expect(textOf(await reading.sink.one())).toBe("4");
  });

  test("in order nothing goes on behind what was lost: when another has made the group again, all comes again", async () => {
    const redis = await server();
    const bench = benchAt(redis);
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub, { order: "key" });
    await bench.publish(pubsub, ...keyed("1", "2", "3"));
    const [first] = await reading.sink.next(3);
    await redis.cli("XACK", bench.topic, GROUP, first?.position ?? "");
    expect((await reading.sink.next(2)).map(textOf)).toEqual(["2", "3"]);
    expect(reading.sink.lostOnes.map(textOf).sort()).toEqual(["1", "2", "3"]);
  });
});
