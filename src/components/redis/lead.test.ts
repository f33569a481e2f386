import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { TcpProxy } from "../../../test/brokers/proxy.ts";
import { type RedisServer, startRedis } from "../../../test/brokers/redis.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import { type Bench, textOf } from "../../conformance/bench.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { benchOn } from "./bench.fixture.ts";

const GROUP = "group1";
const IN_ORDER = { order: "key" } as const;

withRedis("redis: the lead of an ordered group", () => {
  let redis: RedisServer;
  let bench: Bench;
  const others: Bench[] = [];
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  afterEach(async () => {
    for (const one of [bench, ...others.splice(0)]) await one.closeAll();
    await redis.cli("CONFIG", "SET", "maxmemory", "0");
  });

  const times = { lease: "900ms", heartbeat: "300ms", redeliverInterval: "50ms" };
  const make = (more: Readonly<Record<string, unknown>>) => benchOn({ redisHost: `127.0.0.1:${redis.port}`, ...times, ...more });
  const open = (more: Readonly<Record<string, unknown>> = {}) => {
    bench = make(more);
    return bench.open();
  };
  /** A replica with settings of its own. */
  const openAnother = (more: Readonly<Record<string, unknown>> = {}) => {
    const another = make(more);
    others.push(another);
    return another.open();
  };
  const publish = (pubsub: PubSub, ...texts: readonly string[]) =>
    bench.publish(pubsub, ...texts.map((data) => ({ topic: bench.topic, data, key: "k" })));
  const read = (pubsub: PubSub, change: Parameters<Bench["read"]>[1] = {}) =>
    bench.read(pubsub, { topic: bench.topic, ...IN_ORDER, ...change });
  const lead = () => redis.cli("GET", `{${bench.topic}}:layotto:lead:${GROUP}`);
  /** Consumer and failures of each message that stands pending. */
  const pending = async (): Promise<readonly (readonly [consumer: string, failures: number])[]> => {
    const rows = JSON.parse(await redis.cli("--json", "XPENDING", bench.topic, GROUP, "-", "+", "1000"));
    return (rows as readonly [string, string, number, number][]).map(([, consumer, , deliveries]) => [consumer, deliveries - 1]);
  };
  const refusals = async (): Promise<number> =>
    Number(/errorstat_FENCED:count=(\d+)/.exec(await redis.cli("INFO", "errorstats"))?.[1] ?? 0);

  test("what a reader sent before it lost the lead, and what arrives after that, changes nothing", async () => {
    const zombie = await open();
    const proxy = await TcpProxy.start(redis.port);
    const frozen = await openAnother({ redisHost: `127.0.0.1:${proxy.port}` });
    const first = await read(frozen);
    await publish(zombie, "acked", "failed", "moved", "released");
    const [acked, failed, moved] = await first.sink.next(4);
    const before = await refusals();
    proxy.stall();
    expect(acked?.ack()).toBe(true);
    failed?.keep?.(7);
    const dead = `${bench.topic}-dead`;
    const outcome = new Promise((resolve) => moved?.move?.({ topic: dead, data: moved.data, attributes: {}, done: resolve }));
    const second = await read(zombie);
    expect((await second.sink.next(4)).map(textOf)).toEqual(["acked", "failed", "moved", "released"]);
    const leader = await lead();
    expect(first.sink.lostOnes.map(textOf)).toEqual(["failed", "moved", "released"]);
    await proxy.forward();
    await expect.poll(refusals).toBeGreaterThanOrEqual(before + 3);
    expect(await outcome).toMatchObject({ outcome: "rejected", permanent: false });
    expect(await pending()).toEqual(Array.from({ length: 4 }, () => [leader, 0]));
    expect(await redis.cli("EXISTS", dead)).toBe("0");
    await publish(zombie, "next");
    expect(textOf(await second.sink.one())).toBe("next");
    expect(first.sink.seen.length).toBe(4);
    await proxy.stop();
  });

  test.each([1_000, 7])(
    "all that a dead leader left is taken in order, page by page, with its failures, at a window of %d",
    async (messages) => {
      const pubsub = await open({ queueDepth: 20 });
      const dying = await openAnother();
      const first = await read(dying);
      const sent = Array.from({ length: 90 }, (_, index) => `m${index}`);
      await publish(pubsub, ...sent);
      const lent = await first.sink.next(90);
      for (const delivery of lent.slice(0, 3)) delivery.keep?.(2);
      await bench.flush(first);
      await dying.close(AbortSignal.abort()).catch(() => undefined);
      await publish(pubsub, "new");
      const second = await read(pubsub, { messages });
      for (let index = 0; index <= sent.length; index++) (await second.sink.one()).ack();
      expect(second.sink.seen.map(textOf)).toEqual([...sent, "new"]);
      expect(second.sink.seen.slice(0, 4).map(({ failures }) => failures)).toEqual([2, 2, 2, 0]);
      await bench.flush(second);
      expect(await pending()).toEqual([]);
      expect(JSON.parse(await redis.cli("--json", "XINFO", "CONSUMERS", bench.topic, GROUP))).toHaveLength(1);
    },
  );

  test("who leaves gives the lead up, and keeps it for its lease while something is with the app", async () => {
    const pubsub = await open({ lease: "60s", heartbeat: "1s" });
    const first = await read(pubsub);
    await publish(pubsub, "a");
    (await first.sink.one()).ack();
    await bench.leave(first);
    expect(await lead()).toBe("");
    const second = await read(pubsub);
    await publish(pubsub, "b");
    await second.sink.one();
    await bench.leave(second);
    expect(await lead()).toMatch(/:lead1$/);
  });

  test("a message whose reply was lost comes before what came after it", async () => {
    const publisher = await open({ lease: "60s", heartbeat: "20s", redeliverInterval: "60s" });
    const proxy = await TcpProxy.start(redis.port);
    const pubsub = await openAnother({ lease: "60s", heartbeat: "20s", redeliverInterval: "60s", redisHost: `127.0.0.1:${proxy.port}` });
    const reading = await read(pubsub);
    await publish(publisher, "a");
    expect(textOf(await reading.sink.one())).toBe("a");
    await expect.poll(() => redis.cli("CLIENT", "LIST")).toMatch(/name=layotto:test:doorbell .* cmd=xread /);
    const swallowed = proxy.swallowReplies("evalsha");
    await publish(publisher, "b");
    await swallowed;
    await expect.poll(async () => (await pending()).length).toBe(2);
    await publish(publisher, "c");
    await proxy.forward();
    expect((await reading.sink.next(2)).map(textOf)).toEqual(["b", "c"]);
    await bench.leave(reading);
    await proxy.stop();
  });

  test("what others read past the leader is taken before what came after it", async () => {
    const pubsub = await open();
    const reading = await read(pubsub);
    await publish(pubsub, "a");
    expect(textOf(await reading.sink.one())).toBe("a");
    reading.subscription.window(1, 1_000_000);
    await publish(pubsub, "b", "c");
    await redis.cli("XREADGROUP", "GROUP", GROUP, await lead(), "COUNT", "1", "STREAMS", bench.topic, ">");
    reading.subscription.window(10, 1_000_000);
    expect((await reading.sink.next(2)).map(textOf)).toEqual(["b", "c"]);
  });

  test("a program that would read past us keeps an ordered reader out, until it is gone", async () => {
    const pubsub = await open({ processingTimeout: "700ms" });
    await redis.cli("XGROUP", "CREATE", bench.topic, GROUP, "0", "MKSTREAM");
    await publish(pubsub, "a");
    await redis.cli("XREADGROUP", "GROUP", GROUP, "go-layotto", "STREAMS", bench.topic, ">");
    await expect(read(pubsub)).rejects.toMatchObject({
      code: "failed_precondition",
      permanent: true,
      message: expect.stringContaining("go-layotto"),
    });
    await expect.poll(() => read(pubsub).then(() => "reads", String), { timeout: 5_000 }).toBe("reads");
  });

  test("readers with and without order keep each other out of a group", async () => {
    const pubsub = await open();
    const refusal = { code: "failed_precondition", permanent: false };
    const unordered = await read(pubsub, { order: "none" });
    await expect(read(pubsub)).rejects.toMatchObject(refusal);
    // Time itself is what this is about: it has nothing to do for longer than a lease, and gives sign of life.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await expect(read(pubsub)).rejects.toMatchObject(refusal);
    await bench.leave(unordered);
    const ordered = await read(pubsub);
    await publish(pubsub, "a");
    (await ordered.sink.one()).ack();
    await expect(read(pubsub, { order: "none" })).rejects.toMatchObject(refusal);
    await bench.leave(ordered);
    await read(pubsub, { order: "none" });
  });

  test("a full server lets the lead be taken: reading is what makes room", async () => {
    const pubsub = await open();
    await pubsub.ensure(bench.topic, [bench.request()], AbortSignal.timeout(5_000));
    await publish(pubsub, "a");
    await redis.cli("CONFIG", "SET", "maxmemory", "1");
    const reading = await read(pubsub);
    (await reading.sink.one()).ack();
    await bench.flush(reading);
    expect(await pending()).toEqual([]);
  });

  test("after FLUSHALL the group goes on", async () => {
    const pubsub = await open();
    const reading = await read(pubsub);
    await publish(pubsub, "a");
    (await reading.sink.one()).ack();
    await bench.flush(reading);
    await redis.cli("FLUSHALL");
    await publish(pubsub, "b");
    expect(textOf(await reading.sink.one())).toBe("b");
  });
});
