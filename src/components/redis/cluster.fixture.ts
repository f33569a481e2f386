import { expect } from "vitest";
import { type RedisServer, type RedisServerOptions, startRedis } from "../../../test/brokers/redis.ts";
import { freePort } from "../../../test/brokers/server.ts";
import { slotOf } from "./slot.ts";

/** The first slot of the second server of a pair. */
const HALF = 8_192;

/** A server of a cluster that it does not know yet: no slot, and nobody beside it. Its state becomes nobody's business within a test. */
export async function startMember(cleanups: (() => unknown)[], options: RedisServerOptions = {}): Promise<Member> {
  const bus = await freePort();
  const cluster = ["--cluster-enabled", "yes", "--cluster-port", String(bus), "--cluster-node-timeout", "60000"];
  const server = await startRedis({ ...options, extraArgs: [...cluster, ...(options.extraArgs ?? [])] });
  cleanups.push(() => server.stop());
  return Object.assign(server, { bus });
}

export type Member = RedisServer & { readonly bus: number };

/** A cluster of one server. */
export async function startAlone(cleanups: (() => unknown)[]): Promise<Member> {
  const one = await startMember(cleanups);
  await one.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  await stands(one, 1);
  return one;
}

/** A cluster of two, with half the slots each. */
export async function startPair(cleanups: (() => unknown)[], options: RedisServerOptions = {}): Promise<readonly [Member, Member]> {
  const [first, second] = [await startMember(cleanups, options), await startMember(cleanups, options)];
  await first.cli("CLUSTER", "ADDSLOTSRANGE", "0", String(HALF - 1));
  await second.cli("CLUSTER", "ADDSLOTSRANGE", String(HALF), "16383");
  await first.cli("CLUSTER", "MEET", "127.0.0.1", String(second.port), String(second.bus));
  for (const one of [first, second]) await stands(one, 2);
  return [first, second];
}

/** One server gets all slots, as far as it knows: another that had some is gone. */
export async function takeAll(survivor: RedisServer): Promise<void> {
  await survivor.cli("CLUSTER", "DELSLOTSRANGE", String(HALF), "16383");
  await survivor.cli("CLUSTER", "ADDSLOTSRANGE", String(HALF), "16383");
  await stands(survivor, 1);
}

/** A topic that the first of a pair has, or the second. */
export function topicOn(which: "first" | "second", prefix: string): string {
  for (let index = 0; ; index++) {
    const topic = `${prefix}-${index}`;
    if (slotOf(topic) < HALF === (which === "first")) return topic;
  }
}

async function stands(one: RedisServer, size: number): Promise<void> {
  await expect
    .poll(() => one.cli("CLUSTER", "INFO"), { timeout: 20_000 })
    .toMatch(new RegExp(`cluster_state:ok.*cluster_size:${size}`, "s"));
}
