import { isUtf8 } from "node:buffer";

const BEYOND_ASCII = 1;
const ESCAPED = 2;
/** What each byte is in a JSON string. A look into a table costs a third of the comparisons. */
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => kindOf(byte));

/** Whether the bytes from `start` to `end` are text that stands in a JSON string as it is: UTF-8 in which nothing is to be escaped. */
export function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  let kinds = 0;
  for (let at = start; at < end; at++) kinds |= KINDS[bytes[at] as number] as number;
  return kinds === 0 || (kinds === BEYOND_ASCII && isUtf8(bytes.subarray(start, end)));
}

function kindOf(byte: number): number {
  if (byte < 0x20 || byte === 0x22 || byte === 0x5c) return ESCAPED;
  return byte > 0x7f ? BEYOND_ASCII : 0;
}
