import { isUtf8 } from "node:buffer";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether the bytes from `start` to `end` are text that stands in a JSON string as it is: UTF-8 in which nothing is to be escaped. */
export function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  let ascii = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH) return false;
    if (byte > 0x7f) ascii = false;
  }
  return ascii || isUtf8(bytes.subarray(start, end));
}
