import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { TcpProxy } from "../../../test/brokers/proxy.ts";
import { type RedisServer, startRedis } from "../../../test/brokers/redis.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import { type Bench, textOf } from "../../conformance/bench.ts";
import { benchOn } from "./bench.fixture.ts";

withRedis("redis: what is lent", () => {
  let redis: RedisServer;
  let bench: Bench;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  const GROUP = "group1";

  /** Long leases, so that nothing comes again by itself. */
  const times = { lease: "60s", heartbeat: "50ms", redeliverInterval: "50ms" };
  const open = (more: Readonly<Record<string, unknown>> = {}) => {
    bench = benchOn({ redisHost: `127.0.0.1:${redis.port}`, ...times, ...more });
    return bench.open();
  };
  afterEach(() => bench.closeAll());

  /** Consumer and deliveries of each message that stands pending. */
  const pending = async (): Promise<readonly (readonly [consumer: string, deliveries: number])[]> => {
    const rows = JSON.parse(await redis.cli("--json", "XPENDING", bench.topic, GROUP, "-", "+", "100"));
    return (rows as readonly [string, string, number, number][]).map(([, consumer, , deliveries]) => [consumer, deliveries]);
  };
  const consumers = async (): Promise<readonly string[]> => {
    const rows = JSON.parse(await redis.cli("--json", "XINFO", "CONSUMERS", bench.topic, GROUP));
    return (rows as readonly { name: string }[]).map(({ name }) => name);
  };
  const add = (data: string) => redis.cli("XADD", bench.topic, "*", "data", data);

  test("a sign of life does not take back what another has claimed: it is lost, and cannot be acknowledged", async () => {
    const pubsub = await open();
    const reading = await bench.read(pubsub);
    const id = await add("a");
    const delivery = await reading.sink.one();
    await redis.cli("XCLAIM", bench.topic, GROUP, "layotto:another:1", "0", id, "JUSTID");
    await expect.poll(() => reading.sink.lostOnes).toEqual([delivery]);
    expect(delivery.ack()).toBe(false);
    await bench.flush(reading);
    expect(await pending()).toEqual([["layotto:another:1", 1]]);
  });

  test("a message whose reply was lost on the way is found and delivered, once and with no failure", async () => {
    const proxy = await TcpProxy.start(redis.port);
    // Only the doorbell makes it read.
    const pubsub = await open({ redisHost: `127.0.0.1:${proxy.port}`, redeliverInterval: "60s" });
    const reading = await bench.read(pubsub);
    // The first read found nothing, and the next is made when the doorbell rings.
    await expect.poll(() => redis.cli("CLIENT", "LIST")).toMatch(/name=layotto:test:doorbell .* cmd=xread /);
    const swallowed = proxy.swallowReplies("xreadgroup");
    await add("a");
    await swallowed;
    // It may have been the reply to a read that found nothing yet; then the next one's is lost as well.
    await expect.poll(async () => (await pending()).length, { timeout: 20_000 }).toBe(1);
    await proxy.forward();
    const delivery = await reading.sink.one();
    expect([textOf(delivery), delivery.failures]).toEqual(["a", 0]);
    delivery.ack();
    await add("b");
    expect(textOf(await reading.sink.one())).toBe("b");
    await expect.poll(async () => (await pending()).length).toBe(1);
    await bench.closeAll();
    await proxy.stop();
  });

  test("what another program's consumer held is taken over after processingTimeout, and not as a failure", async () => {
    const pubsub = await open({ processingTimeout: "500ms" });
    await redis.cli("XGROUP", "CREATE", bench.topic, GROUP, "0", "MKSTREAM");
    await add("a");
    const readAt = performance.now();
    await redis.cli("XREADGROUP", "GROUP", GROUP, GROUP, "STREAMS", bench.topic, ">");
    for (const _ of [2, 3, 4]) await redis.cli("XREADGROUP", "GROUP", GROUP, GROUP, "STREAMS", bench.topic, "0");
    const reading = await bench.read(pubsub);
    const delivery = await reading.sink.one();
    expect(performance.now() - readAt).toBeGreaterThanOrEqual(500);
    expect([textOf(delivery), delivery.failures]).toEqual(["a", 0]);
    const [, , , count] = JSON.parse(await redis.cli("--json", "XPENDING", bench.topic, GROUP, "-", "+", "1"))[0] as readonly unknown[];
    expect(count).toBe(1);
  });

  test("of the consumers left behind, only those of ours that hold nothing are deleted", async () => {
    const pubsub = await open({ consumerRetention: 1 });
    await redis.cli("XGROUP", "CREATE", bench.topic, GROUP, "0", "MKSTREAM");
    await add("a");
    await redis.cli("XREADGROUP", "GROUP", GROUP, "layotto:dead:1", "STREAMS", bench.topic, ">");
    for (const name of ["layotto:dead:2", "foreign"]) await redis.cli("XGROUP", "CREATECONSUMER", bench.topic, GROUP, name);
    await bench.read(pubsub);
    await expect.poll(consumers).not.toContain("layotto:dead:2");
    expect(await consumers()).toEqual(expect.arrayContaining(["layotto:dead:1", "foreign"]));
    expect(await pending()).toEqual([["layotto:dead:1", 1]]);
  });

  test("after FLUSHALL the group goes on", async () => {
    const pubsub = await open();
    const reading = await bench.read(pubsub);
    await add("a");
    (await reading.sink.one()).ack();
    await bench.flush(reading);
    await redis.cli("FLUSHALL");
    await add("b");
    const delivery = await reading.sink.one();
    expect(textOf(delivery)).toBe("b");
    delivery.ack();
    await bench.flush(reading);
    expect(await pending()).toEqual([]);
  });

  test("500 subscriptions share three connections, and each gets its messages", async () => {
    const pubsub = await open({ heartbeat: "5s", redeliverInterval: "5s" });
    const topics = Array.from({ length: 500 }, (_, index) => `${bench.topic}-${index}`);
    const readings = await Promise.all(topics.map((topic) => bench.read(pubsub, { topic })));
    const clients = (await redis.cli("CLIENT", "LIST")).split("\n").filter((line) => line.includes("name=layotto:"));
    expect(clients.length).toBe(3);
    for (const index of [0, 250, 499]) {
      await redis.cli("XADD", topics[index] ?? "", "*", "data", `m${index}`);
      const delivery = await readings[index]?.sink.one();
      expect(delivery && textOf(delivery)).toBe(`m${index}`);
      delivery?.ack();
    }
  });
});
