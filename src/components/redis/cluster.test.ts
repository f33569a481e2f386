import { afterEach, expect, test } from "vitest";
import { type RedisServer, type RedisServerOptions, startRedis } from "../../../test/brokers/redis.ts";
import { addSlots, startAlone, startMember, startPair, takeAll, topicOn } from "../../../test/brokers/redis-cluster.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import type { Bench } from "../../conformance/bench.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { benchOn, openRedis } from "./bench.fixture.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function server(options: RedisServerOptions): Promise<RedisServer> {
  const redis = await startRedis(options);
  cleanups.push(() => redis.stop());
  return redis;
}

/** Opened with what is named, in this order. A server that is away is tried again often: that must not be in the way of anything. */
async function open(...named: readonly RedisServer[]): Promise<readonly [Bench, PubSub]> {
  const redisHost = named.map(({ port }) => `127.0.0.1:${port}`).join(",");
  const bench = benchOn({ redisHost, redisType: "cluster", redisMaxRetryInterval: "50ms" });
  cleanups.push(() => bench.closeAll());
  return [bench, await bench.open()];
}

/** Resolves to why it failed, if it did. */
function publish(pubsub: PubSub, topic: string): Promise<PubSubError | undefined> {
  return new Promise((resolve) => {
    const message = { topic, data: Buffer.from("x"), attributes: {}, done: resolve };
    pubsub.publish([message], AbortSignal.timeout(5_000));
  });
}

/** Resolves as soon as a message of the topic is stored. */
async function published(pubsub: PubSub, topic: string): Promise<void> {
  await expect.poll(() => publish(pubsub, topic), { timeout: 15_000, interval: 200 }).toBeUndefined();
}

withRedis("redis: a cluster that changes", () => {
  test("a master that ends: its topics are found where the layout has them then", async () => {
    const [first, second] = await startPair(server);
    const [bench, pubsub] = await open(first);
    const topic = topicOn("second", bench.topic);
    await published(pubsub, topic);
    await second.kill();
    // From here on its connections fail, one after the other and again and again.
    await expect.poll(() => publish(pubsub, topic), { timeout: 10_000 }).toMatchObject({ outcome: "rejected" });
    await takeAll(first);
    await published(pubsub, topic);
    expect(await first.cli("XLEN", topic)).toBe("1");
  }, 60_000);

  test("a master that is silent keeps no message for another waiting", async () => {
    const [first, second] = await startPair(server);
    const [bench, pubsub] = await open(first);
    const [there, here] = [topicOn("second", bench.topic), topicOn("first", bench.topic)];
    await published(pubsub, there);
    await published(pubsub, here);
    second.freeze();
    cleanups.push(() => second.thaw());
    expect(pubsub.capabilities.slowCalls).toBeGreaterThan(0);
    const silent = publish(pubsub, there);
    expect(await publish(pubsub, here)).toBeUndefined();
    second.thaw();
    expect(await silent).toBeUndefined();
  }, 60_000);

  test("a server that belongs to no cluster any more, or not yet, knows no layout: another is asked", async () => {
    const empty = await startMember(server);
    const alone = await startAlone(server);
    const [bench, pubsub] = await open(empty, alone);
    await published(pubsub, bench.topic);
    expect(await alone.cli("XLEN", bench.topic)).toBe("1");
  }, 60_000);

  test("slots that nobody has yet: their topics are found once somebody has them", async () => {
    const member = await startMember(server);
    await member.cli("CONFIG", "SET", "cluster-require-full-coverage", "no");
    await addSlots(member, 0, 8_191);
    const [bench, pubsub] = await open(member);
    await published(pubsub, topicOn("first", bench.topic));
    await addSlots(member, 8_192, 16_383);
    await published(pubsub, topicOn("second", bench.topic));
  }, 60_000);

  test("a master that is cut off from the others is not the only one that is believed", async () => {
    const [cutOff, gone] = await startPair(server);
    await gone.kill();
    const others = await startAlone(server);
    const [bench, pubsub] = await open(cutOff, others);
    const topic = topicOn("second", bench.topic);
    await published(pubsub, topic);
    expect(await others.cli("XLEN", topic)).toBe("1");
  }, 60_000);

  test("every master is inspected; what is found at some of them is told with their names, what is found at all of them once", async () => {
    const [first, second] = await startPair(server);
    const evict = (one: RedisServer) => one.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    const found = async () => {
      const pubsub = openRedis({ redisHost: `127.0.0.1:${first.port}`, redisType: "cluster" });
      cleanups.push(() => pubsub.close(AbortSignal.timeout(5_000)));
      const findings = await pubsub.inspect(AbortSignal.timeout(5_000));
      return findings.map(({ level, id, found }) => `${level} ${id} ${found.split(" is ", 1)[0]}`);
    };
    expect(await found()).toEqual([]);
    await evict(second);
    expect(await found()).toEqual([`refuse redis.maxmemory-policy 127.0.0.1:${second.port}: maxmemory-policy`]);
    await evict(first);
    expect(await found()).toEqual(["refuse redis.maxmemory-policy maxmemory-policy"]);
  }, 60_000);

  test("one master that is away keeps nobody from the topics of the others; all that are away do", async () => {
    const [first, second] = await startPair(server);
    const [, before] = await open(second);
    await before.inspect(AbortSignal.timeout(5_000));
    first.freeze();
    await before.ping(AbortSignal.timeout(5_000));
    await first.kill();
    const [bench, pubsub] = await open(second);
    expect(await pubsub.inspect(AbortSignal.timeout(5_000))).toEqual([]);
    const topic = topicOn("second", bench.topic);
    const reading = await bench.read(pubsub, { topic });
    await published(pubsub, topic);
    (await reading.sink.one()).ack();
    await bench.flush(reading);
    await second.kill();
    const ping = () => pubsub.ping(AbortSignal.timeout(5_000)).then(() => "it answered", String);
    await expect.poll(ping, { timeout: 10_000 }).toContain("not connected to 127.0.0.1");
    await expect(pubsub.inspect(AbortSignal.timeout(5_000))).rejects.toMatchObject({ code: "unavailable" });
  }, 60_000);
});
