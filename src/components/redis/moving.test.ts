import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type RedisServer, startRedis } from "../../../test/brokers/redis.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import { type Bench, textOf } from "../../conformance/bench.ts";
import type { Delivery } from "../../pubsub/delivery.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { benchOn } from "./bench.fixture.ts";

withRedis("redis: moving a message", () => {
  let redis: RedisServer;
  let bench: Bench;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  afterEach(async () => {
    await bench.closeAll();
    await redis.cli("CONFIG", "SET", "maxmemory", "0");
  });

  const open = (more: Readonly<Record<string, unknown>> = {}) => {
    bench = benchOn({ redisHost: `127.0.0.1:${redis.port}`, ...more });
    return bench.open();
  };
  const move = (delivery: Delivery, data: Uint8Array = delivery.data): Promise<PubSubError | string | undefined> =>
    new Promise((resolve) => {
      const done = (error?: PubSubError, position?: string) => resolve(error ?? position);
      expect(delivery.move?.({ topic: `${bench.topic}-dead`, data, attributes: { why: "test" }, key: "k", done })).toBe(true);
    });
  const stored = () => redis.cli("XLEN", `${bench.topic}-dead`);

  test("a message that is with another by now is not stored, and lost", async () => {
    const pubsub = await open({ heartbeat: "5s" });
    const reading = await bench.read(pubsub);
    const [position] = await bench.publish(pubsub, "a");
    const delivery = await reading.sink.one();
    await redis.cli("XCLAIM", bench.topic, "group1", "layotto:another:1", "0", position ?? "", "JUSTID");
    expect(await move(delivery)).toMatchObject({ outcome: "rejected", permanent: false });
    expect(reading.sink.lostOnes).toEqual([delivery]);
    expect(delivery.ack()).toBe(false);
    expect(await stored()).toBe("0");
  });

  test("what cannot be stored stays lent, and can be moved later", async () => {
    const pubsub = await open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    const delivery = await reading.sink.one();
    await redis.cli("CONFIG", "SET", "maxmemory", "1");
    expect(await move(delivery)).toMatchObject({ code: "resource_exhausted", outcome: "rejected", permanent: false });
    await redis.cli("CONFIG", "SET", "maxmemory", "0");
    await redis.cli("SET", `${bench.topic}-dead`, "a string");
    expect(await move(delivery)).toMatchObject({ code: "failed_precondition", permanent: true });
    await redis.cli("DEL", `${bench.topic}-dead`);
    const position = await move(delivery);
    const dead = await bench.read(pubsub, { topic: `${bench.topic}-dead` });
    const copy = await dead.sink.one();
    expect([textOf(copy), copy.attributes, copy.key, copy.position]).toEqual(["a", { why: "test" }, "k", position]);
    expect(await redis.cli("XPENDING", bench.topic, "group1")).toMatch(/^0/);
  });

  test("a copy that too few replicas have is an unknown outcome, and trying again stores no second one", async () => {
    const pubsub = await open({ waitReplicas: 1, heartbeat: "5s" });
    const reading = await bench.read(pubsub);
    await redis.cli("XADD", bench.topic, "*", "data", "a");
    const delivery = await reading.sink.one();
    expect(await move(delivery)).toMatchObject({ code: "unavailable", outcome: "unknown" });
    expect(await move(delivery)).toMatchObject({ outcome: "rejected" });
    expect(await stored()).toBe("1");
    expect(reading.sink.lostOnes).toEqual([delivery]);
  });
});
