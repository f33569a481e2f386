import { PubSubError } from "../../pubsub/error.ts";
import type { Finding } from "../../pubsub/pubsub.ts";
import type { RedisOptions } from "./config.ts";
import type { Connection, Reply } from "./connection.ts";
import type { Node } from "./node.ts";

/**
 * What the settings of servers mean for their messages (D1, D2): each finding once. One that is not true of all of them names those it is
 * true of. Rejects when one cannot be reached.
 */
export async function inspect(nodes: readonly Node[], options: RedisOptions): Promise<readonly Finding[]> {
  const found = new Map<string, { readonly finding: Finding; readonly at: string[] }>();
  const perNode = await Promise.all(nodes.map(({ read }) => inspectOne(read, options)));
  for (const [index, findings] of perNode.entries()) {
    for (const finding of findings) {
      const key = `${finding.id} ${finding.found}`;
      const known = found.get(key) ?? { finding, at: [] };
      known.at.push(nodes[index]?.address ?? "");
      found.set(key, known);
    }
  }
  return [...found.values()].map(({ finding, at }) =>
    at.length === nodes.length ? finding : { ...finding, found: `${at.join(", ")}: ${finding.found}` },
  );
}

async function inspectOne(connection: Connection, options: RedisOptions): Promise<readonly Finding[]> {
  const answer = await allowed(connection.call("info"));
  if (answer === undefined) {
    const found =
      "The server does not let us read what it says of itself (INFO), so nobody knows its version, nor whether it has replicas.";
    return [
      warn("info-unreadable", found, "It must be Redis 6.2 or newer. Allow the user +info to have it checked."),
      ...(await settings(connection)),
    ];
  }
  const info = parseInfo(String(answer));
  const findings: Finding[] = [];
  const version = info.redis_version ?? "0";
  if (older(version, [6, 2]))
    findings.push(refuse("version", `Redis ${version} cannot look for idle messages.`, "Use Redis 6.2 or newer."));
  if (info.redis_mode === "cluster" && options.redisType === "node") {
    findings.push(refuse("cluster", "The server belongs to a cluster, and redisType is node.", "Set redisType to cluster."));
  }
  if (options.redisType === "cluster" && info.redis_mode !== "cluster") {
    findings.push(refuse("cluster", "The server belongs to no cluster, and redisType is cluster.", "Set redisType to node."));
  }
  if (options.maxLenApprox !== undefined || options.streamTTL !== undefined) {
    const found = "maxLenApprox and streamTTL are without effect: they would delete messages that nobody has read yet.";
    findings.push(warn("max-len", found, "Remove them. What every group has acknowledged is trimmed by itself; retainMs keeps it longer."));
  }
  if (Number(info.connected_slaves ?? 0) > 0 && options.waitReplicas === 0) {
    const found = "The server has replicas, and a publish succeeds before any of them has it: a failover loses what it had not copied.";
    findings.push(warn("replicas", found, "Set waitReplicas to 1 if that must not be."));
  }
  return [...findings, ...(await settings(connection))];
}

async function settings(connection: Connection): Promise<readonly Finding[]> {
  const config = await allowed(Promise.all(["maxmemory-policy", "append*"].map((pattern) => get(connection, pattern))));
  const findings: Finding[] = [];
  const { "maxmemory-policy": policy = "", appendonly, appendfsync } = Object.assign({}, ...(config ?? [])) as Record<string, string>;
  // A hosted one may answer, and tell nothing, or not all.
  if (policy === "" || appendonly === undefined) {
    const found = "The server does not let us read its settings, so nobody knows whether it evicts messages or writes them to disk.";
    findings.push(warn("config-unreadable", found, "See to it that maxmemory-policy is noeviction and that it persists."));
  }
  if (policy.startsWith("allkeys-")) {
    const found = `maxmemory-policy is ${policy}: when memory is full, Redis deletes whole topics.`;
    findings.push(refuse("maxmemory-policy", found, "Set maxmemory-policy to noeviction."));
  }
  if (appendonly === "no") {
    findings.push(warn("appendonly", "appendonly is off: what was acknowledged is lost when Redis ends.", "Set appendonly to yes."));
  } else if (appendfsync !== undefined && appendfsync !== "always") {
    const found = `appendfsync is ${appendfsync}: up to a second of acknowledged messages is lost when the machine fails.`;
    findings.push(warn("appendfsync", found, "Set appendfsync to always if that must not be; publishing gets slower."));
  }
  return findings;
}

/** Undefined: this user may not ask, or the command has another name there. */
async function allowed<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof PubSubError) || error.code === "unavailable") throw error;
    return undefined;
  }
}

async function get(connection: Connection, pattern: string): Promise<Record<string, string>> {
  const flat = (await connection.call("config", "GET", pattern)) as readonly Reply[];
  const settings: Record<string, string> = {};
  for (let at = 0; at + 1 < flat.length; at += 2) settings[String(flat[at])] = String(flat[at + 1]);
  return settings;
}

function parseInfo(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text
      .split(/\r?\n/)
      .filter((line) => line.includes(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
}

function older(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split(".").map(Number);
  return a < major || (a === major && b < minor);
}

const refuse = (id: string, found: string, remedy: string): Finding => ({ level: "refuse", id: `redis.${id}`, found, remedy });
const warn = (id: string, found: string, remedy: string): Finding => ({ level: "warn", id: `redis.${id}`, found, remedy });
