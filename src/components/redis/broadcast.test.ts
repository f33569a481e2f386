import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type RedisServer, startRedis } from "../../../test/brokers/redis.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import type { Bench } from "../../conformance/bench.ts";
import { benchOn } from "./bench.fixture.ts";

withRedis("redis: groups of broadcast replicas", () => {
  let redis: RedisServer;
  let bench: Bench;
  beforeAll(async () => {
    redis = await startRedis();
    const times = { lease: "600ms", heartbeat: "100ms", trimInterval: "50ms" };
    bench = benchOn({ redisHost: `127.0.0.1:${redis.port}`, ...times });
  });
  afterEach(() => bench.closeAll());
  afterAll(() => redis.stop());

  test("what a dead replica left is dropped by another sidecar, and none that has a reader", async () => {
    const dying = await bench.open();
    const living = await bench.open();
    const groups = async () => (await living.admin?.groups?.(bench.topic))?.map(({ group }) => group);
    await bench.read(dying, { group: "dead", expiresAfterMs: 1 });
    await bench.read(living, { group: "alive", expiresAfterMs: 1 });
    await bench.read(living, { group: "lasting" });
    await dying.close(AbortSignal.abort()).catch(() => undefined);
    expect(await groups()).toEqual(["alive", "dead", "lasting"]);
    await expect.poll(groups, { timeout: 5_000 }).toEqual(["alive", "lasting"]);
  });

  test("a full server does not make a group look as if it had no reader", async () => {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub, { group: "replica", expiresAfterMs: 1 });
    await redis.cli("CONFIG", "SET", "maxmemory", "1");
    const key = `{${bench.topic}}:layotto:broadcast`;
    const due = async () => Number(await redis.cli("HGET", key, "replica"));
    const before = await due();
    await expect.poll(due).toBeGreaterThan(before);
    await redis.cli("CONFIG", "SET", "maxmemory", "0");
    await bench.leave(reading);
    await expect.poll(() => redis.cli("HLEN", key), { timeout: 5_000 }).toBe("0");
  });
});
