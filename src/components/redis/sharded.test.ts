import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type RedisServer, startRedis } from "../../../test/brokers/redis.ts";
import { startAlone, topicOn } from "../../../test/brokers/redis-cluster.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import { type Bench, textOf } from "../../conformance/bench.ts";
import type { Delivery } from "../../pubsub/delivery.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { benchOn } from "./bench.fixture.ts";

/** It has all slots, and refuses what is of several at once: as one address does that stands for many servers. */
withRedis("redis: a server that is sharded behind one address", () => {
  let redis: RedisServer;
  let bench: Bench;
  beforeAll(async () => {
    redis = await startAlone(startRedis);
  });
  afterAll(() => redis.stop());
  afterEach(() => bench.closeAll());

  const open = (more: Readonly<Record<string, unknown>> = {}) => {
    bench = benchOn({ redisHost: `127.0.0.1:${redis.port}`, ...more });
    return bench.open();
  };
  const move = (delivery: Delivery | undefined, topic: string): Promise<PubSubError | string | undefined> =>
    new Promise((resolve) => {
      const done = (error?: PubSubError, position?: string) => resolve(error ?? position);
      expect(delivery?.move?.({ topic, data: delivery.data, attributes: {}, done })).toBe(true);
    });
  const refusals = async (): Promise<number> =>
    Number(/errorstat_CROSSSLOT:count=(\d+)/.exec(await redis.cli("INFO", "errorstats"))?.[1] ?? 0);

  test.each(["none", "key"] as const)("order %s: a message is moved to a topic that is elsewhere, and acknowledged", async (order) => {
    const pubsub = await open();
    const [topic, dead] = [topicOn("first", bench.topic), topicOn("second", `${bench.topic}-dead`)];
    const reading = await bench.read(pubsub, { topic, order });
    for (const text of ["a", "b"]) await redis.cli("XADD", topic, "*", "data", text);
    const [a, b] = await reading.sink.next(2);
    const before = await refusals();
    expect(await move(a, dead)).toMatch(/^\d+-\d+$/);
    expect(await move(b, dead)).toMatch(/^\d+-\d+$/);
    expect(await refusals()).toBe(before + 1);
    await bench.flush(reading);
    expect(await redis.cli("XPENDING", topic, "group1")).toMatch(/^0/);
    expect(await redis.cli("XLEN", dead)).toBe("2");
    expect([a?.ack(), reading.sink.lostOnes]).toEqual([false, []]);
  });

  test("a copy that cannot be stored leaves the message lent, and one that is with another is not copied", async () => {
    const pubsub = await open({ heartbeat: "5s" });
    const [topic, dead] = [topicOn("first", bench.topic), topicOn("second", `${bench.topic}-dead`)];
    const reading = await bench.read(pubsub, { topic });
    await redis.cli("XADD", topic, "*", "data", "a");
    const delivery = await reading.sink.one();
    await redis.cli("SET", dead, "a string");
    expect(await move(delivery, dead)).toMatchObject({ code: "failed_precondition", permanent: true });
    await redis.cli("DEL", dead);
    await redis.cli("XCLAIM", topic, "group1", "layotto:another:1", "0", delivery.position ?? "", "JUSTID");
    expect(await move(delivery, dead)).toMatchObject({ outcome: "rejected", permanent: false });
    expect([await redis.cli("EXISTS", dead), reading.sink.lostOnes]).toEqual(["0", [delivery]]);
  });

  test("topics of several slots are waited for, without asking for them in one call again and again", async () => {
    const pubsub = await open({ redeliverInterval: "60s" });
    const topics = ["first", "second"] as const;
    const readings = await Promise.all(topics.map((which) => bench.read(pubsub, { topic: topicOn(which, bench.topic) })));
    const waiting = async () => (await redis.cli("CLIENT", "LIST")).match(/name=layotto:test:doorbell .* cmd=xread /g)?.length;
    await expect.poll(waiting).toBe(2);
    const before = await refusals();
    for (const text of ["a", "b", "c"]) {
      for (const [index, which] of topics.entries()) {
        await redis.cli("XADD", topicOn(which, bench.topic), "*", "data", text);
        expect(await readings[index]?.sink.one().then(textOf)).toBe(text);
      }
    }
    expect(await refusals()).toBe(before);
  });
});
