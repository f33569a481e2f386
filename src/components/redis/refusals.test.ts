import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type RedisServer, startRedis } from "../../../test/brokers/redis.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import { textOf } from "../../conformance/bench.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { benchOn, openRedis } from "./bench.fixture.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function server(...extraArgs: readonly string[]): Promise<RedisServer> {
  const redis = await startRedis({ appendfsync: "always", extraArgs });
  cleanups.push(() => redis.stop());
  return redis;
}

function writtenTo(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "refusals-"));
  cleanups.push(() => rm(directory, { recursive: true }));
  const file = join(directory, "sentinel.conf");
  writeFileSync(file, text);
  return file;
}

function open(redis: RedisServer, more: Readonly<Record<string, unknown>> = {}): PubSub {
  const pubsub = openRedis({ redisHost: `127.0.0.1:${redis.port}`, ...more });
  cleanups.push(() => pubsub.close(AbortSignal.timeout(5_000)));
  return pubsub;
}

withRedis("redis: what it refuses", () => {
  test("a topic that is something else is an error for good, for publishers and readers", async () => {
    const redis = await server();
    const bench = benchOn({ redisHost: `127.0.0.1:${redis.port}` });
    cleanups.push(() => bench.closeAll());
    const pubsub = await bench.open();
    await redis.cli("SET", bench.topic, "a string");
    const refusal = { code: "failed_precondition", permanent: true, outcome: "rejected", message: expect.stringContaining("WRONGTYPE") };
    await expect(bench.publish(pubsub, "a")).rejects.toMatchObject(refusal);
    await expect(bench.read(pubsub)).rejects.toMatchObject(refusal);
    await expect(pubsub.ensure(bench.topic, [bench.request()], AbortSignal.timeout(5_000))).rejects.toMatchObject(refusal);
  });

  test("a server that is full refuses a publish, and takes it when there is room", async () => {
    const redis = await server("--maxmemory", "4mb", "--maxmemory-policy", "noeviction");
    const bench = benchOn({ redisHost: `127.0.0.1:${redis.port}` });
    cleanups.push(() => bench.closeAll());
    const pubsub = await bench.open();
    const large = { data: new Uint8Array(300_000) };
    const results = await bench.tryToPublish(
      pubsub,
      Array.from({ length: 20 }, () => large),
    );
    const errors = results.flatMap(({ error }) => error ?? []);
    expect(errors[0]).toMatchObject({ code: "resource_exhausted", permanent: false, outcome: "rejected" });
    expect(await redis.cli("XLEN", bench.topic)).toBe(String(20 - errors.length));
    await redis.cli("DEL", bench.topic);
    await bench.publish(pubsub, "small");
  });

  test("when memory is short a small message is not stored behind a large one of its key that was refused", async () => {
    const redis = await server("--maxmemory", "4mb", "--maxmemory-policy", "noeviction");
    const bench = benchOn({ redisHost: `127.0.0.1:${redis.port}` });
    cleanups.push(() => bench.closeAll());
    const pubsub = await bench.open();
    const large = { data: new Uint8Array(2_000_000), key: "k" };
    const results = await bench.tryToPublish(pubsub, [large, { data: "small", key: "k" }]);
    const refused = { code: "resource_exhausted", permanent: false, outcome: "rejected" };
    expect(results.map(({ error }) => error)).toEqual([expect.objectContaining(refused), expect.objectContaining(refused)]);
    expect(await redis.cli("XLEN", bench.topic)).toBe("0");
    const small = () =>
      bench.publish(pubsub, { data: "small", key: "k" }, { data: "other", key: "l" }, { data: "small", key: "k" }).then(() => true, String);
    await expect.poll(small, { timeout: 10_000 }).toBe(true);
    expect(await redis.cli("XLEN", bench.topic)).toBe("3");
  });

  test("a publisher without patience costs the others nothing", async () => {
    const redis = await server();
    const pubsub = open(redis);
    await pubsub.ping(AbortSignal.timeout(5_000));
    const connections = async () => /total_connections_received:(\d+)/.exec(await redis.cli("INFO", "stats"))?.[1];
    const before = Number(await connections());
    await redis.cli("CLIENT", "PAUSE", "10000", "WRITE");
    const outcomes: (string | undefined)[] = [];
    const settled = Promise.withResolvers<void>();
    const message = (done: (error?: PubSubError) => void) => ({ topic: "t", data: Buffer.from("x"), attributes: {}, done });
    const hasty = new AbortController();
    pubsub.publish([message((error) => outcomes.push(error?.outcome))], hasty.signal);
    pubsub.publish([message((error) => settled.resolve(void outcomes.push(error?.outcome)))], new AbortController().signal);
    hasty.abort();
    await redis.cli("CLIENT", "UNPAUSE");
    await settled.promise;
    // Ours are PAUSE, UNPAUSE and the two questions.
    expect([outcomes, Number(await connections()) - before, await redis.cli("XLEN", "t")]).toEqual([["unknown", undefined], 3, "2"]);
  });

  test("a user who may do nothing dangerous can publish and read, and is told what could not be checked", async () => {
    const redis = await server();
    await redis.cli("ACL", "SETUSER", "app", "on", ">secret-Horse", "~*", "&*", "+@all", "-@dangerous");
    const bench = benchOn({ redisHost: `127.0.0.1:${redis.port}`, redisUsername: "app", redisPassword: "secret-Horse" });
    cleanups.push(() => bench.closeAll());
    const pubsub = await bench.open();
    const findings = await pubsub.inspect(AbortSignal.timeout(5_000));
    expect(findings.map(({ id, level }) => [id, level])).toEqual([
      ["redis.info-unreadable", "warn"],
      ["redis.config-unreadable", "warn"],
    ]);
    const reading = await bench.read(pubsub);
    for (const data of ["a", "b"]) {
      await bench.publish(pubsub, data);
      const delivery = await reading.sink.one();
      expect(textOf(delivery)).toBe(data);
      delivery.ack();
    }
    await bench.flush(reading);
  });

  test("a reader whose server takes no writes says why it gets nothing, and that it goes on", async () => {
    const redis = await server();
    const bench = benchOn({ redisHost: `127.0.0.1:${redis.port}`, redeliverInterval: "100ms" });
    cleanups.push(() => bench.closeAll());
    const pubsub = await bench.open();
    const told: (string | undefined)[] = [];
    const recorder = bench.recorder();
    recorder.interrupted = (error) => told.push(error?.message);
    const { subscription } = await bench.read(pubsub, { messages: 0, bytes: 0 }, recorder);
    await bench.publish(pubsub, "a");
    await redis.cli("CONFIG", "SET", "min-replicas-to-write", "1");
    subscription.window(10, 10_000);
    await expect.poll(() => told.at(-1) ?? "", { timeout: 10_000 }).toContain("NOREPLICAS");
    await redis.cli("CONFIG", "SET", "min-replicas-to-write", "0");
    expect(textOf(await recorder.one())).toBe("a");
    await expect.poll(() => told.at(-1), { timeout: 10_000 }).toBeUndefined();
  });

  test.each([
    ["no password", {}, "NOAUTH"],
    ["a wrong password", { redisPassword: "wrong-Horse" }, "WRONGPASS"],
  ])("%s is told, and no password with it", async (_, metadata, word) => {
    const redis = await server("--requirepass", "right-Horse");
    const pubsub = open(redis, metadata);
    const error = await pubsub.ping(AbortSignal.timeout(5_000)).then(
      () => expect.unreachable("it was let in"),
      (caught: unknown) => caught,
    );
    expect(String(error)).toContain(word);
    expect(String(error)).not.toContain("Horse");
    await open(redis, { redisPassword: "right-Horse" }).ping(AbortSignal.timeout(5_000));
  });

  test("a database that the server does not have, and a master that no Sentinel knows, are told", async () => {
    const redis = await server();
    const elsewhere = open(redis, { redisDB: 99 });
    await expect(elsewhere.ping(AbortSignal.timeout(5_000))).rejects.toThrow("SELECT: ERR DB index is out of range");
    const sentinel = await startRedis({ sentinelConfig: writtenTo("requirepass right-Horse\n") });
    cleanups.push(() => sentinel.stop());
    const unknown = { failover: true, sentinelMasterName: "nobody", sentinelPassword: "right-Horse" };
    const said = `the Sentinel 127.0.0.1:${sentinel.port} knows no master nobody`;
    await expect(open(sentinel, unknown).ping(AbortSignal.timeout(5_000))).rejects.toThrow(said);
    const noPassword = open(redis, { redisPassword: "no-Horse" });
    await expect(noPassword.ping(AbortSignal.timeout(5_000))).rejects.toThrow(
      /AUTH: ERR AUTH <password> called without any password(?!.*Horse)/,
    );
    const refused = open(sentinel, { ...unknown, sentinelPassword: "wrong-Horse" });
    await expect(refused.ping(AbortSignal.timeout(5_000))).rejects.toThrow(/the Sentinel 127\.0\.0\.1:\d+: AUTH: WRONGPASS(?!.*Horse)/);
  });

  test("a server that does not know a command repeats what it was sent: that is told to nobody", async () => {
    const redis = await server("--rename-command", "AUTH", "");
    const pubsub = open(redis, { redisUsername: "someone", redisPassword: "right-Horse" });
    await expect(pubsub.ping(AbortSignal.timeout(5_000))).rejects.toThrow(/AUTH: ERR unknown command(?!.*(Horse|someone))/);
  });

  test.each([
    ["keeps everything", [], []],
    ["evicts whole topics", ["--maxmemory-policy", "allkeys-lru"], ["refuse redis.maxmemory-policy"]],
    ["writes nothing to disk", ["--appendonly", "no"], ["warn redis.appendonly"]],
    ["writes once a second", ["--appendfsync", "everysec"], ["warn redis.appendfsync"]],
    ["belongs to a cluster", ["--cluster-enabled", "yes"], ["refuse redis.cluster"]],
    ["hides its settings", ["--rename-command", "CONFIG", ""], ["warn redis.config-unreadable"]],
  ])("a server that %s is found out", async (_, args, expected) => {
    const redis = await server(...args);
    const findings = await open(redis).inspect(AbortSignal.timeout(5_000));
    expect(findings.map(({ level, id }) => `${level} ${id}`)).toEqual(expected);
    for (const { found, remedy } of findings) expect([found, remedy]).toEqual([expect.stringMatching(/\.$/), expect.stringMatching(/\.$/)]);
  });
});
