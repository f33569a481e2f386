import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RedisServer, startRedis } from "./redis.ts";
import { TAKES_MS, until } from "./until.ts";

const NAME = "main";
const REPLICATION = ["on", ">replica", "resetchannels", "+psync", "+replconf", "+ping"];
/** Sentinel takes a server for dead that is silent for so long. Only while one is dead is it short: a machine that stalls must not look like that. */
const PATIENT_MS = 600_000;
const IMPATIENT_MS = 1_000;

/** A Redis, its replica, and a Sentinel that promotes it. */
export interface SentinelPair {
  readonly name: string;
  readonly sentinelPort: number;
  readonly first: RedisServer;
  readonly second: RedisServer;
  /** Ends the replication once the replica has what was written, so that it cannot take it up again and nothing lies in a buffer for it. */
  part(): Promise<void>;
  /** kill -9 of the first server; resolves once the second is the master, and the first its replica. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

export async function startSentinelPair(): Promise<SentinelPair> {
  const directory = mkdtempSync(join(tmpdir(), "sentinel-"));
  const running: RedisServer[] = [];
  const stop = async (): Promise<void> => {
    for (const server of running.toReversed()) await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const first = await startRedis({ appendfsync: "always" });
    running.push(first);
    await first.cli("ACL", "SETUSER", "replica", ...REPLICATION);
    const replica = ["--replicaof", `127.0.0.1 ${first.port}`, "--masteruser", "replica", "--masterauth", "replica"];
    const second = await startRedis({ appendfsync: "always", extraArgs: replica });
    running.push(second);
    await follows(second);
    const sentinelConfig = join(directory, "sentinel.conf");
    writeFileSync(sentinelConfig, settings(first.port));
    const sentinel = await startRedis({ sentinelConfig });
    running.push(sentinel);
    const patience = (ms: number) => sentinel.cli("SENTINEL", "SET", NAME, "down-after-milliseconds", `${ms}`);
    const masterOf = async () => (await sentinel.cli("SENTINEL", "get-master-addr-by-name", NAME)).split("\n")[1];
    await until("Sentinel knows the replica", async () => (await sentinel.cli("SENTINEL", "replicas", NAME)).includes(`${second.port}`));
    return {
      name: NAME,
      sentinelPort: sentinel.port,
      first,
      second,
      async part() {
        await first.cli("WAIT", "1", `${TAKES_MS}`);
        await first.cli("ACL", "SETUSER", "replica", "off");
        await first.cli("CLIENT", "KILL", "TYPE", "replica");
      },
      async failOver() {
        await first.kill();
        await patience(IMPATIENT_MS);
        await until("Sentinel has promoted the replica", async () => (await masterOf()) === `${second.port}`);
        await patience(PATIENT_MS);
        await until("the replica serves", async () => (await second.cli("ROLE")).startsWith("master"));
        await first.restart();
        await first.cli("REPLICAOF", "127.0.0.1", `${second.port}`);
        await follows(first);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const settings = (port: number): string =>
  [
    `sentinel monitor ${NAME} 127.0.0.1 ${port} 1`,
    `sentinel down-after-milliseconds ${NAME} ${PATIENT_MS}`,
    `sentinel failover-timeout ${NAME} 5000`,
    "",
  ].join("\n");

const follows = (server: RedisServer): Promise<void> =>
  until("the replica follows", async () => (await server.cli("INFO", "replication")).includes("master_link_status:up"));
