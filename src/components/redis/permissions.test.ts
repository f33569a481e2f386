import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type RedisServer, startRedis } from "../../../test/brokers/redis.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import { type Bench, textOf } from "../../conformance/bench.ts";
import { benchOn } from "./bench.fixture.ts";

const keyed = (...texts: readonly string[]) => texts.map((data) => ({ data, key: "k" }));
const NO_TRANSACTIONS = ["+@all", "-multi", "-exec"];

withRedis("redis: a user who may not do everything", () => {
  let redis: RedisServer;
  const benches: Bench[] = [];
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    for (const bench of benches.splice(0)) await bench.closeAll();
    await redis.cli("CONFIG", "SET", "maxmemory", "0");
  });
  afterAll(() => redis.stop());

  async function benchOf(rules: readonly string[], more: Readonly<Record<string, unknown>> = {}): Promise<Bench> {
    await redis.cli("ACL", "SETUSER", "app", "reset", "on", ">secret", "~*", "&*", ...rules);
    const user = { redisUsername: "app", redisPassword: "secret", heartbeat: "100ms", lease: "900ms", trimInterval: "100ms" };
    const bench = benchOn({ redisHost: `127.0.0.1:${redis.port}`, ...user, ...more });
    benches.push(bench);
    return bench;
  }

  test("the commands that the README names are all that is needed, for every kind of subscription", async () => {
    const [, named = ""] = /`(\+ping [^`]*)`/.exec(readFileSync(new URL("README.md", import.meta.url), "utf8")) ?? [];
    const bench = await benchOf(named.split(/\s+/));
    const pubsub = await bench.open();
    await pubsub.inspect(bench.patience);
    const kinds = [{}, { group: "ordered", order: "key" }, { group: "broadcast", expiresAfterMs: 1_000 }] as const;
    const told: unknown[] = [];
    const readings = await Promise.all(
      kinds.map((kind) => {
        const recorder = bench.recorder();
        recorder.interrupted = (error) => told.push(error);
        return bench.read(pubsub, kind, recorder);
      }),
    );
    await bench.publish(pubsub, ...keyed("a", "b"), "c");
    for (const { sink } of readings) {
      const came = await sink.next(3);
      expect(came.map(textOf)).toEqual(["a", "b", "c"]);
      came[0]?.keep?.(1);
      for (const delivery of came) delivery.ack();
    }
    for (const reading of readings) await bench.flush(reading);
    await expect.poll(() => redis.cli("XLEN", bench.topic)).toBe("0");
    for (const reading of readings) await bench.leave(reading);
    expect(told.filter((error) => error !== undefined)).toEqual([]);
    expect(await redis.cli("ACL", "LOG")).toBe("");
  });

  test.each([
    ["multi", ["+@all", "-multi"]],
    ["multi and exec", NO_TRANSACTIONS],
    ["exec", ["+@all", "-exec"]],
  ])("without %s: what was stored is told as stored, and what was not can be published again", async (_, rules) => {
    const bench = await benchOf(rules);
    const pubsub = await bench.open();
    for (let round = 0; round < 3; round++) {
      const before = Number(await redis.cli("XLEN", bench.topic));
      const results = await bench.tryToPublish(pubsub, keyed("a", "b"));
      const stored = results.filter(({ error }) => !error);
      expect(stored.length).toBe(Number(await redis.cli("XLEN", bench.topic)) - before);
      for (const { error } of results) expect(error?.outcome ?? "none").toMatch(/rejected|none/);
      if (round > 0) expect(stored.map(({ position }) => position)).toEqual([expect.stringMatching(/^\d+-\d+$/), expect.anything()]);
    }
  });

  test("a server that begins transactions and knows no EXEC: nothing that it only queued is told as stored", async () => {
    const other = await startRedis({ extraArgs: ["--rename-command", "EXEC", ""] });
    const bench = benchOn({ redisHost: `127.0.0.1:${other.port}` });
    try {
      const pubsub = await bench.open();
      const results = await Promise.all([bench.tryToPublish(pubsub, keyed("a", "b")), bench.tryToPublish(pubsub, ["c"])]);
      expect(results.flat().map(({ error }) => error?.outcome)).toEqual(["rejected", "rejected", "unknown"]);
      await expect.poll(() => bench.publish(pubsub, ...keyed("a", "b")).then(() => true, String)).toBe(true);
      expect(await other.cli("XLEN", bench.topic)).toBe("2");
    } finally {
      await bench.closeAll();
      await other.stop();
    }
  });

  test("without transactions, too, nothing is stored behind a message of its key that was refused", async () => {
    const bench = await benchOf(NO_TRANSACTIONS);
    const pubsub = await bench.open();
    await bench.publish(pubsub, ...keyed("a", "b"));
    const used = Number(/used_memory:(\d+)/.exec(await redis.cli("INFO", "memory"))?.[1]);
    await redis.cli("CONFIG", "SET", "maxmemory", String(used + 500_000));
    const results = await bench.tryToPublish(pubsub, [{ data: new Uint8Array(2_000_000), key: "k" }, ...keyed("small")]);
    expect(results.map(({ error }) => error?.code)).toEqual(["resource_exhausted", "resource_exhausted"]);
    expect(await redis.cli("XLEN", bench.topic)).toBe("2");
  });

  test("without transactions an ordered group is read, each message once", async () => {
    const bench = await benchOf(NO_TRANSACTIONS, { lease: "60s" });
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub, { order: "key" });
    const sent = Array.from({ length: 20 }, (_, index) => `m${index}`);
    for (const text of sent) {
      await bench.publish(pubsub, ...keyed(text));
      expect(textOf(await reading.sink.one())).toBe(text);
    }
    expect(reading.sink.seen.map(textOf)).toEqual(sent);
  });
});
