import { afterEach, expect, test } from "vitest";
import { openRedis } from "./bench.fixture.ts";
import { type PlayedRedis, playRedis } from "./played-redis.fixture.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
const list = (...texts: readonly string[]) => `*${texts.length}\r\n${texts.map(bulk).join("")}`;

/** `settings`: what it says of each, if anything. */
async function hosted(settings: Readonly<Record<string, string>>): Promise<PlayedRedis> {
  const redis = await playRedis((command, _, name = "") => {
    if (command === "info") return bulk("redis_version:7.4.0\r\nredis_mode:standalone\r\n");
    if (command !== "config") return "+OK\r\n";
    const shown = Object.entries(settings).filter(([key]) => (name.endsWith("*") ? key.startsWith(name.slice(0, -1)) : key === name));
    return list(...shown.flat());
  });
  cleanups.push(() => redis.close());
  return redis;
}

test.each([
  ["nothing", {}, ["redis.config-unreadable"]],
  ["only that it evicts", { "maxmemory-policy": "allkeys-lru" }, ["redis.config-unreadable", "redis.maxmemory-policy"]],
  ["only that it writes nothing", { appendonly: "no" }, ["redis.config-unreadable", "redis.appendonly"]],
  ["all", { "maxmemory-policy": "noeviction", appendonly: "yes", appendfsync: "everysec" }, ["redis.appendfsync"]],
])("a server that tells of its settings %s: what is not known is not made up", async (_, settings, expected) => {
  const { port } = await hosted(settings);
  const pubsub = openRedis({ redisHost: `127.0.0.1:${port}` });
  cleanups.push(() => pubsub.close(AbortSignal.timeout(5_000)));
  const findings = await pubsub.inspect(AbortSignal.timeout(5_000));
  expect(findings.map(({ id }) => id)).toEqual(expected);
});
