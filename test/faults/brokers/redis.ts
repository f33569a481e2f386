import { type RedisServer, redisAvailable, startRedis } from "../../brokers/redis.ts";
import { startSentinelPair } from "../../brokers/sentinel.ts";
import { toxiproxyAvailable } from "../../brokers/toxiproxy.ts";
import type { Component } from "../../e2e/sidecar.ts";
import type { Broker, Owed, Trims } from "../broker.ts";

/** Short times, so that what must run out does so within a test. */
const TIMES = {
  lease: "1500ms",
  heartbeat: "500ms",
  redeliverInterval: "200ms",
  readTimeout: "1s",
  dialTimeout: "1s",
  trimInterval: "200ms",
};
const NO_DISK = "its server has no disk of its own here";

export const redis: Broker = {
  name: "redis",
  gaps: {
    "full-disk": NO_DISK,
    "read-only": NO_DISK,
  },
  unavailable: () => redisAvailable() ?? toxiproxyAvailable(),
  async start() {
    const server = await startRedis({ appendfsync: "always" });
    /** Each time that it is asked is a connection too. */
    let asked = 0;
    return {
      component: (port): Component => ({ type: "redis", metadata: { redisHost: `127.0.0.1:${port}`, ...TIMES } }),
      process: {
        port: server.port,
        kill: () => server.kill(),
        restart: () => server.restart(),
        freeze: () => server.freeze(),
        thaw: () => server.thaw(),
        async accepted() {
          const [, count] = /^total_connections_received:(\d+)/m.exec(await server.cli("INFO", "stats")) ?? [];
          asked += 1;
          return Number(count) - asked;
        },
        async wipe() {
          await server.cli("FLUSHALL");
        },
        async refuseAllBut(topics) {
          const written = topics.flatMap((topic) => [`~${topic}`, `~{${topic}}*`]);
          await server.cli("ACL", "SETUSER", "default", "resetkeys", "%R~*", ...written);
        },
        async accept() {
          await server.cli("ACL", "SETUSER", "default", "allkeys");
        },
        trims: trims(server),
      },
      owed: (topic, group) => owed(server, topic, group),
      stop: () => server.stop(),
    };
  },
  async startPair(safe) {
    const pair = await startSentinelPair();
    const metadata = { redisHost: `127.0.0.1:${pair.sentinelPort}`, failover: true, sentinelMasterName: pair.name, ...TIMES };
    return {
      component: { type: "redis", metadata: { ...metadata, waitReplicas: safe ? 1 : 0 } },
      part: () => pair.part(),
      failOver: () => pair.failOver(),
      owed: (topic, group) => owed(pair.second, topic, group),
      stop: () => pair.stop(),
    };
  },
};

function trims(server: RedisServer): Trims {
  const stream = async (topic: string) =>
    JSON.parse(await server.cli("--json", "XINFO", "STREAM", topic)) as { readonly length: number; readonly "entries-added": number };
  return {
    kept: async (topic) => (await stream(topic)).length,
    added: async (topic) => (await stream(topic))["entries-added"],
    async join(topic, group) {
      await server.cli("XGROUP", "CREATE", topic, group, "$");
    },
    unread: async (topic, group) => (await owed(server, topic, group)).lag,
    async leave(topic, group) {
      await server.cli("XGROUP", "DESTROY", topic, group);
    },
  };
}

interface GroupInfo {
  readonly name: string;
  readonly pending: number;
  readonly lag: number | null;
  readonly "last-delivered-id": string;
}

async function owed(server: Pick<RedisServer, "cli">, topic: string, group: string): Promise<Owed> {
  const groups = JSON.parse(await server.cli("--json", "XINFO", "GROUPS", topic)) as readonly GroupInfo[];
  const found = groups.find(({ name }) => name === group);
  if (!found) throw new Error(`Redis has no group ${group} of ${topic}, but ${groups.map(({ name }) => name).join(", ")}`);
  const summary = JSON.parse(await server.cli("--json", "XPENDING", topic, group)) as readonly [number, ...unknown[]];
  // After a FLUSHALL the group begins in mid-stream, and Redis does not know its lag.
  const lag = found.lag ?? (await unread(server, topic, found["last-delivered-id"]));
  return { pending: Math.max(found.pending, summary[0]), lag };
}

async function unread(server: Pick<RedisServer, "cli">, topic: string, after: string): Promise<number> {
  const entries = JSON.parse(await server.cli("--json", "XRANGE", topic, `(${after}`, "+")) as readonly unknown[];
  return entries.length;
}
