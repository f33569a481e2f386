import { weight } from "../protocol.ts";
import type { Group } from "./group.ts";
import type { Log } from "./log.ts";
import type { Reader } from "./reader.ts";

/** Most that one reader gets in one cycle: a commit must not wait for long reads. */
const MESSAGES = 256;
const BYTES = 2 ** 20;

/** Lends what the windows of the group's readers allow. True: there is more, which one cycle should not bring. */
export function lend(group: Group, log: Log, now: number, elapsed: number): boolean {
  const { served } = group;
  let more = false;
  for (const reader of served) {
    if (reader.room > 0 && lendTo(reader, group, log, now, elapsed)) more = true;
  }
  // Another one is first next time.
  if (served.length > 1) group.readers.push(group.readers.shift() as Reader);
  return more;
}

function lendTo(reader: Reader, group: Group, log: Log, now: number, elapsed: number): boolean {
  let messages = Math.min(reader.room, MESSAGES);
  let bytes = 0;
  for (let pos = group.peekReady(elapsed); pos !== undefined; pos = group.peekReady(elapsed)) {
    if (messages === 0 || reader.room === 0 || bytes >= BYTES) return reader.room > 0;
    const row = log.read(group.topic, pos);
    if (!row || isExpired(row[2], now)) {
      group.forget(pos);
      continue;
    }
    const size = weight(row[5].byteLength, row[4]);
    const { failures, due } = group.relend(pos, size, reader);
    reader.lend(row, failures, due, now);
    messages--;
    bytes += size;
  }
  if (group.next > group.topic.last) return false;
  if (messages === 0 || reader.room === 0 || bytes >= BYTES) return reader.room > 0;
  let rows = 0;
  for (const row of log.readFrom(group.topic, group.next, messages)) {
    rows++;
    const pos = row[0];
    if (isExpired(row[2], now)) {
      group.skip(pos);
      continue;
    }
    const size = weight(row[5].byteLength, row[4]);
    if (reader.room === 0) return false;
    if (bytes > 0 && bytes + size > BYTES) return true;
    const entry = group.advance(pos, size, row[3], reader, now, elapsed);
    if (entry === undefined) continue;
    reader.lend(row, entry.failures, entry.due, now);
    bytes += size;
  }
  // What was last may have been removed.
  if (rows < messages) group.passEnd();
  return reader.room > 0 && group.next <= group.topic.last;
}

const isExpired = (expires: number | null, now: number): boolean => expires !== null && expires <= now;
