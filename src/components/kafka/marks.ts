import { crc32c } from "@platformatic/wasm-utils";
import { DONE, type Mark } from "./progress.ts";
import { maybeSame } from "./topic-id.ts";
import { Reader, WireError } from "./wire/reader.ts";
import { Writer } from "./wire/writer.ts";

/** Before what we write, so that what others wrote is never taken for ours. */
const PREFIX = "L1:";
const ID_LENGTH = 32;
const MARKS_AT = PREFIX.length + ID_LENGTH + 1;
/** What a run of offsets is: the lowest two bits of a number; the rest is its length, or the failures of one. */
const SETTLED = 0;
const OPEN = 1;
const FAILED = 2;
const MOST = 2 ** 29;

/**
 * Marks as a commit's metadata: the topic's id, and runs of offsets, beginning with the committed one. At most `mostBytes` long; of what does
 * not fit, those farther on are left out, and `whole` is false.
 */
export function writeMarks(
  topicId: string,
  first: number,
  marks: readonly Mark[],
  mostBytes: number,
): { readonly text: string; readonly whole: boolean } {
  const writer = new Writer();
  // Base64 makes four of three.
  const room = Math.floor((mostBytes - MARKS_AT) * 0.75) - 2;
  let at = first;
  let fits = 0;
  let whole = true;
  for (const { from, to, failures } of marks) {
    if (!whole) break;
    writeRun(writer, from - at, OPEN);
    if (failures === DONE) writeRun(writer, to - from, SETTLED);
    else for (let one = from; one < to; one++) writer.uvarint(Math.min(failures, MOST) * 4 + FAILED);
    if (writer.length > room) whole = false;
    else fits = writer.length;
    at = to;
  }
  return { text: `${PREFIX}${topicId}:${writer.written.subarray(0, fits).toString("base64")}`, whole };
}

function writeRun(writer: Writer, length: number, kind: number): void {
  for (let left = length; left > 0; left -= MOST) writer.uvarint(Math.min(left, MOST) * 4 + kind);
}

/** Before the marks, for the cluster that they were committed in. */
export const SEAL_LENGTH = 9;

/** Marks as they are committed: commits are copied between clusters, with what stands in them. */
export function sealed(clusterId: string, text: string): string {
  return isOurs(text) ? `${sealOf(clusterId)}${text}` : text;
}

/**
 * What a committed text says here. Its marks, if it was committed here and of this topic. Nothing, if another program wrote it, or it was
 * copied from another cluster, whose offsets were translated: the offset holds. Undefined, if it was committed for another topic of this name: a
 * commit names its topic, and may reach the broker after that one was deleted and made anew. Then the offset says nothing either.
 */
export function unsealed(clusterId: string, topicId: string, text: string): string | undefined {
  const marks = text.slice(SEAL_LENGTH);
  if (!isOurs(marks) || !text.startsWith(sealOf(clusterId))) return "";
  return maybeSame(marks.slice(PREFIX.length, MARKS_AT - 1), topicId) ? marks : undefined;
}

function sealOf(clusterId: string): string {
  return `${(crc32c(Buffer.from(clusterId)) >>> 0).toString(16).padStart(SEAL_LENGTH - 1, "0")}.`;
}

/** What `writeMarks` wrote. Nothing, if it was written by another program, or was damaged: then what is settled may come again. */
export function readMarks(first: number, text: string): readonly Mark[] {
  if (!isOurs(text)) return [];
  try {
    return decodeMarks(first, new Reader(Buffer.from(text.slice(MARKS_AT), "base64")));
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return [];
  }
}

function decodeMarks(first: number, reader: Reader): readonly Mark[] {
  const marks: Mark[] = [];
  let at = first;
  while (reader.left > 0) {
    const number = reader.uvarint();
    const kind = number & 3;
    const value = number >>> 2;
    if (kind === FAILED) marks.push({ from: at, to: at + 1, failures: value });
    else if (kind === SETTLED) marks.push({ from: at, to: at + value, failures: DONE });
    else if (kind !== OPEN) return [];
    at += kind === FAILED ? 1 : value;
  }
  return marks;
}

function isOurs(text: string): boolean {
  return text.startsWith(PREFIX) && text[MARKS_AT - 1] === ":";
}
