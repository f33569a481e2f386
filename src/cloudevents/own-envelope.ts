import { isJson } from "./content-type.ts";
import { type Event, SOURCE, SPEC_VERSION, TYPE } from "./event.ts";
import { isPlain } from "./plain.ts";

const ID = Buffer.from('{"id":"');
const MIDDLE = Buffer.from(`","specversion":"${SPEC_VERSION}","source":"${SOURCE}","type":"${TYPE}","datacontenttype":"`);
const TOPIC = Buffer.from('","topic":"');
const PUBSUB = Buffer.from('","pubsubname":"');
const DATA = Buffer.from('","traceid":"","data":"');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7d;
/** A topic's name may be long: that is not kept. */
const MOST_BETWEEN = 1_024;

/**
 * Opens the envelope that `wrap` makes of most texts, without parsing JSON: its members in their order, nothing escaped, no expiration. Undefined
 * when it is any other: then a parser has to look. What it returns is what the parser would; the data is a view of `bytes`.
 */
export function openOwn(bytes: Uint8Array): Event | undefined {
  const id = textAt(bytes, behind(bytes, 0, ID));
  if (id === undefined || id === "") return undefined;
  const idEnd = ID.length + id.length;
  const known = behind(bytes, idEnd, last.between);
  const { contentType, start } = known < 0 ? readBetween(bytes, idEnd) : { contentType: last.contentType, start: known };
  const end = bytes.length - 2;
  if (start < 0 || start > end || bytes[end] !== QUOTE || bytes[end + 1] !== BRACE) return undefined;
  if (!isPlain(bytes, start, end)) return undefined;
  const data = bytes.subarray(start, end);
  return { id, source: SOURCE, type: TYPE, specVersion: SPEC_VERSION, contentType, data, expiresAt: undefined, raw: false };
}

/** What stood between id and data of the last event, up to the data. A topic's messages differ in little else. */
let last = { between: Buffer.from([0]), contentType: "" };

/** `start`, of the data, is -1 when it is none of ours. */
function readBetween(bytes: Uint8Array, idEnd: number): { contentType: string; start: number } {
  const typeAt = behind(bytes, idEnd, MIDDLE);
  const contentType = textAt(bytes, typeAt) ?? "";
  if (contentType === "" || isJson(contentType)) return { contentType, start: -1 };
  const topicEnd = endOfText(bytes, behind(bytes, typeAt + contentType.length, TOPIC));
  const pubsubEnd = endOfText(bytes, behind(bytes, topicEnd, PUBSUB));
  const start = behind(bytes, pubsubEnd, DATA);
  if (start >= 0 && start - idEnd <= MOST_BETWEEN) last = { between: Buffer.from(bytes.subarray(idEnd, start)), contentType };
  return { contentType, start };
}

/** Where `expected` ends, if it stands at `at`; else -1, as if `at` is. */
function behind(bytes: Uint8Array, at: number, expected: Uint8Array): number {
  if (at < 0) return -1;
  for (let index = 0; index < expected.length; index++) if (bytes[at + index] !== expected[index]) return -1;
  return at + expected.length;
}

/** Where a string of plain ASCII ends; -1: it is none. */
function endOfText(bytes: Uint8Array, start: number): number {
  if (start < 0) return -1;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1;
  }
  return -1;
}

function textAt(bytes: Uint8Array, start: number): string | undefined {
  const end = endOfText(bytes, start);
  if (end < 0) return undefined;
  const view = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.toString("latin1", start, end);
}
