import type { StoreSettings } from "../protocol.ts";
import type { Catalog } from "./catalog.ts";
import type { Database } from "./database.ts";
import type { Topic } from "./log.ts";

/** Most that one cycle deletes of one topic: at least as much as it can add, so that retention keeps up with any publisher. */
const STEP = 1_000;
const STEP_BYTES = 16 * 2 ** 20;
const NOTHING_KEPT = { retentionMs: 0, retentionBytes: 0 };

/**
 * Deletes messages that every group is done with (with no group: any) once they are older than `retention`, or the topic is
 * larger than `retentionBytes`; at once when it is `pressed` for room, but for what has no group. Within a transaction. What it answers must be applied once that is committed.
 */
export function sweep(
  topic: Topic,
  catalog: Catalog,
  db: Database,
  settings: StoreSettings,
  now: number,
  pressed: boolean,
): { freed: number; more: boolean } {
  let end = Number.MAX_SAFE_INTEGER;
  for (const group of catalog.groups(topic)) end = Math.min(end, group.deletable);
  // What all are done with is kept for replay alone: not when there is no room.
  const { retentionMs, retentionBytes } = pressed && end < Number.MAX_SAFE_INTEGER ? NOTHING_KEPT : settings;
  let last = 0;
  let freed = 0;
  let count = 0;
  for (const [pos, at, bytes] of db.log.front(topic, end, STEP)) {
    if (at > now - retentionMs && topic.bytes - freed <= retentionBytes) break;
    last = pos;
    freed += bytes;
    count++;
    if (freed >= STEP_BYTES) break;
  }
  if (count > 0) {
    db.log.trim(topic, last);
    db.log.addBytes(topic, -freed);
  }
  return { freed, more: count === STEP || freed >= STEP_BYTES };
}
