import { slotOf } from "../../src/components/redis/slot.ts";
import type { RedisServer, RedisServerOptions } from "./redis.ts";
import { freePort } from "./server.ts";
import { until } from "./until.ts";

/** The first slot of the second server of a pair. */
const HALF = 8_192;
const LAST = 16_383;
/** Who is killed keeps its slots: within a test no other takes it for gone. */
const PATIENT_MS = 600_000;

/** Starts a server, and sees to it that it ends with the test. */
type Start = (options: RedisServerOptions) => Promise<RedisServer>;

/** A server in cluster mode that has no slot, and nobody beside it. */
export async function startMember(start: Start): Promise<RedisServer> {
  return startOn(start, await freePort());
}

/** A cluster of one server. */
export async function startAlone(start: Start): Promise<RedisServer> {
  const one = await startMember(start);
  await addSlots(one, 0, LAST);
  await stands(one, 1);
  return one;
}

/** A cluster of two, with half the slots each. */
export async function startPair(start: Start): Promise<readonly [RedisServer, RedisServer]> {
  const first = await startMember(start);
  const bus = await freePort();
  const second = await startOn(start, bus);
  await addSlots(first, 0, HALF - 1);
  await addSlots(second, HALF, LAST);
  await first.cli("CLUSTER", "MEET", "127.0.0.1", `${second.port}`, `${bus}`);
  for (const one of [first, second]) await stands(one, 2);
  return [first, second];
}

/** The first of a pair has all slots, as far as it knows: the second is gone. */
export async function takeAll(first: RedisServer): Promise<void> {
  await first.cli("CLUSTER", "DELSLOTSRANGE", `${HALF}`, `${LAST}`);
  await addSlots(first, HALF, LAST);
  await stands(first, 1);
}

/** A topic that the first of a pair has, or the second. */
export function topicOn(which: "first" | "second", prefix: string): string {
  for (let index = 0; ; index++) {
    const topic = `${prefix}-${index}`;
    if (slotOf(topic) < HALF === (which === "first")) return topic;
  }
}

export async function addSlots(one: RedisServer, first: number, last: number): Promise<void> {
  await one.cli("CLUSTER", "ADDSLOTSRANGE", `${first}`, `${last}`);
}

function startOn(start: Start, bus: number): Promise<RedisServer> {
  const settings = ["--cluster-enabled", "yes", "--cluster-port", `${bus}`, "--cluster-node-timeout", `${PATIENT_MS}`];
  return start({ appendfsync: "always", extraArgs: settings });
}

async function stands(one: RedisServer, size: number): Promise<void> {
  await until(`a cluster of ${size} stands`, async () => {
    const info = await one.cli("CLUSTER", "INFO");
    return info.includes("cluster_state:ok") && info.includes(`cluster_size:${size}\r`);
  });
}
