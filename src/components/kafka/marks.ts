import { DONE, type Mark } from "./progress.ts";
import { Reader } from "./wire/reader.ts";
import { Writer } from "./wire/writer.ts";

/** Before what we write, so that what others wrote is never taken for ours. */
const PREFIX = "L1:";
/** What a run of offsets is: the lowest two bits of a number; the rest is its length, or the failures of one. */
const SETTLED = 0;
const OPEN = 1;
const FAILED = 2;
const MOST = 2 ** 29;

/**
 * Marks as a commit's metadata: runs of offsets, beginning with the committed one. At most `mostBytes` long; of what does not fit, those
 * farther on are left out, and `whole` is false.
 */
export function writeMarks(first: number, marks: readonly Mark[], mostBytes: number): { readonly text: string; readonly whole: boolean } {
  if (marks.length === 0) return { text: "", whole: true };
  const writer = new Writer();
  // Base64 makes four of three.
  const room = Math.floor((mostBytes - PREFIX.length) * 0.75) - 2;
  let at = first;
  let fits = 0;
  let whole = true;
  for (const { from, to, failures } of marks) {
    const gap = from - at;
    if (gap > MOST || to - from > MOST) whole = false;
    if (!whole) break;
    if (gap > 0) writer.uvarint(gap * 4 + OPEN);
    if (failures === DONE) writer.uvarint((to - from) * 4 + SETTLED);
    else for (let one = from; one < to; one++) writer.uvarint(Math.min(failures, MOST) * 4 + FAILED);
    if (writer.length > room) whole = false;
    else fits = writer.length;
    at = to;
  }
  return { text: fits === 0 ? "" : PREFIX + writer.written.subarray(0, fits).toString("base64"), whole };
}

/** What `writeMarks` wrote. Nothing, if it was written by another program. */
export function readMarks(first: number, text: string): readonly Mark[] {
  if (!text.startsWith(PREFIX)) return [];
  const marks: Mark[] = [];
  const reader = new Reader(Buffer.from(text.slice(PREFIX.length), "base64"));
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
