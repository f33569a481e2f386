import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, test } from "vitest";
import { type RedisServer, startRedis } from "../../../test/brokers/redis.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import { conformance } from "../../conformance/index.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { definition } from "./index.ts";

const LEASE_MS = 900;

withRedis("redis", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis({ appendfsync: "always" });
  });
  afterAll(() => redis.stop());

  /** As another sidecar, and connected. */
  async function open(): Promise<PubSub> {
    const context = { name: "test", appId: "app1", process: `host:${randomUUID()}`, dataDir: "", clock: systemClock };
    const times = { lease: LEASE_MS, heartbeat: LEASE_MS / 3, redeliverInterval: 100, trimInterval: 500 };
    const pubsub = definition.open(definition.options.parse({ redisHost: `127.0.0.1:${redis.port}`, ...times }), context);
    await pubsub.ping(AbortSignal.timeout(5_000));
    return pubsub;
  }

  const checks = conformance({
    name: definition.type,
    capabilities: definition.capabilities,
    leaseMs: LEASE_MS,
    gaps: [],
    open,
    restart: () => redis.restart(),
    outage: async () => {
      await redis.kill();
      return () => redis.restart();
    },
    crash: (pubsub) => pubsub.close(AbortSignal.abort()).catch(() => undefined),
    foreign: async (topic) => void (await redis.cli("XADD", topic, "*", "hello", "1")),
  });
  for (const { name, run } of checks) test(name, run, 30_000);
});
