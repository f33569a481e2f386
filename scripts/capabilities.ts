import type { Capabilities } from "../src/pubsub/capabilities.ts";

const KIB = 1_024;
const DAY_MS = 86_400_000;

/** What the table of brokers says, line by line. */
export const LINES: readonly (readonly [title: string, cell: (capabilities: Capabilities) => string])[] = [
  ["messages and groups survive a restart of the broker", ({ durable }) => yes(durable)],
  ["kept for a group that comes later", ({ keepsWithoutGroup }) => yes(keepsWithoutGroup)],
  [
    "kept for a group that does not read, by default",
    ({ retentionMs }) => (retentionMs === undefined ? "for ever" : duration(retentionMs)),
  ],
  ["`order`, as fine as", ({ ordering }) => (ordering === "none" ? "no" : `\`${ordering}\``)],
  ["`order` that a subscription has when it asks for none", ({ defaultOrder = "none" }) => `\`${defaultOrder}\``],
  ["replicas that read an ordered group", ({ ordering, orderedReplicas }) => (ordering === "none" ? "–" : orderedReplicas)],
  [
    "failures of a message counted over restarts",
    ({ attempts }) => ({ exact: "yes", deliveries: "no: its deliveries are", none: "no" })[attempts],
  ],
  ["how long a message may be with the app", ({ hold }) => held(hold)],
  ["a retry may wait at the broker", ({ delayedRetry, maxDelayMs }) => (delayedRetry === "none" ? "no" : `up to ${duration(maxDelayMs)}`)],
  ["delayed messages ¹", ({ delay }) => yes(delay)],
  ["expired messages are dropped by", ({ ttl }) => (ttl ? "the broker" : "the sidecar")],
  ["groups can be moved to an earlier message ¹", ({ replay }) => yes(replay)],
  ["a group for each replica (broadcast) ¹", ({ broadcast }) => yes(broadcast)],
  ["lag is known", ({ backlog }) => yes(backlog)],
  ["messages can be looked at ¹", ({ browse }) => yes(browse)],
  ["metadata travels", ({ headers }) => (headers ? "beside the message" : "inside it")],
  ["largest message", ({ maxBytes }) => size(maxBytes)],
  ["messages of one call", ({ maxBatch }) => String(maxBatch)],
];

const yes = (has: boolean): string => (has ? "yes" : "no");

function held(hold: Capabilities["hold"]): string {
  if (hold === "connection") return "while its connection lasts";
  if (hold === "partition") return "until a rebalance";
  return hold === Number.POSITIVE_INFINITY ? "as long as it takes" : duration(hold);
}

function duration(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return "any time";
  if (ms >= DAY_MS) return `${Math.floor(ms / DAY_MS)} days`;
  return ms >= DAY_MS / 24 ? `${ms / (DAY_MS / 24)} h` : `${ms / 60_000} min`;
}

function size(bytes: number): string {
  if (bytes === Number.POSITIVE_INFINITY) return "any";
  return bytes >= KIB * KIB ? `${Math.floor(bytes / KIB / KIB)} MiB` : `${Math.floor(bytes / KIB)} KiB`;
}
