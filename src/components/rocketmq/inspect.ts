import type { Finding } from "../../pubsub/pubsub.ts";
import { type Entities, groupShapes } from "./entities.ts";
import { hasLimit, limitOf, NO_LIMIT } from "./group-shape.ts";
import { type Remoting, Request } from "./remoting.ts";

/** What the brokers' settings mean for messages (D1, D2). `groups`: those that are ours, as far as they are known. Rejects when no broker can be reached. */
export async function inspect(entities: Entities, groups: readonly string[], signal: AbortSignal): Promise<readonly Finding[]> {
  if (!entities.reachable) {
    const found = "Without nameServer the brokers' settings are not checked, and no topic or group is made.";
    return [warn("unchecked", found, `Set nameServer, or give each group -r ${NO_LIMIT} with mqadmin updateSubGroup.`)];
  }
  const findings = await entities.eachBroker(signal, async (broker) => [...(await settings(broker)), ...(await limits(broker, groups))]);
  const byId = new Map(findings.flat().map((finding) => [`${finding.id} ${finding.found}`, finding]));
  return [...byId.values()];
}

async function settings(broker: Remoting): Promise<readonly Finding[]> {
  const { body } = await broker.request(Request.brokerConfig, {});
  const config = new Map(body.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1).trim()]));
  const findings: Finding[] = [];
  if (config.get("flushDiskType") !== "SYNC_FLUSH") {
    const found = `flushDiskType is ${config.get("flushDiskType")}: what was acknowledged within the last half second is lost when the broker's machine fails.`;
    findings.push(warn("flush", found, "Set flushDiskType to SYNC_FLUSH if that must not be; publishing gets slower."));
  }
  const hours = config.get("fileReservedTime");
  if (hours !== undefined) {
    const found = `fileReservedTime is ${hours}: messages are deleted after ${hours} hours, acknowledged or not.`;
    findings.push(warn("retention", found, "Set fileReservedTime to more hours than an app may ever be away."));
  }
  return findings;
}

async function limits(broker: Remoting, groups: readonly string[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const [group, shape] of await groupShapes(broker, groups)) {
    if (!hasLimit(shape)) continue;
    const [found, remedy] = limitOf(group, shape);
    findings.push(refuse("limit", found, remedy));
  }
  return findings;
}

const finding = (level: Finding["level"], id: string, found: string, remedy: string): Finding => ({
  level,
  id: `rocketmq.${id}`,
  found,
  remedy,
});
const refuse = (id: string, found: string, remedy: string) => finding("refuse", id, found, remedy);
const warn = (id: string, found: string, remedy: string) => finding("warn", id, found, remedy);
