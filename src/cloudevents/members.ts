/** The raw text of one member's value: `bytes.subarray(start, end)`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const COMMA = 0x2c;

/**
 * Where the value of each top-level member of a JSON object lies. The text is what makes a value sacred: numbers keep their digits and
 * objects their spaces and order, because nobody parses and prints them again.
 *
 * `bytes` must be a valid JSON object in UTF-8 (the caller has parsed it); of a name that stands twice the last counts, as with JSON.parse.
 */
export function members(bytes: Uint8Array): Map<string, Span> {
  const found = new Map<string, Span>();
  let at = skipSpace(bytes, 0) + 1;
  while (true) {
    at = skipSpace(bytes, at);
    if (bytes[at] !== QUOTE) return found;
    const nameEnd = stringEnd(bytes, at);
    const name: unknown = JSON.parse(decode(bytes, at, nameEnd));
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1);
    const end = valueEnd(bytes, start);
    found.set(String(name), { start, end });
    at = skipSpace(bytes, end);
    if (bytes[at] === COMMA) at += 1;
  }
}

function decode(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (SPACE.has(bytes[at] ?? 0)) at += 1;
  return at;
}

/** Past the closing quote. */
function stringEnd(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function valueEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  let depth = 0;
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      at = stringEnd(bytes, at);
      if (depth === 0) return at;
      continue;
    }
    if (OPEN.has(byte)) depth += 1;
    else if (CLOSE.has(byte)) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || SPACE.has(byte))) return at;
    at += 1;
  }
  return at;
}
