import { isUtf8 } from "node:buffer";
import { BYTES, isCloudEvent, isJson, isText, JSON_TYPE, TEXT } from "./content-type.ts";
import { SOURCE, SPEC_VERSION, TYPE } from "./event.ts";
import { ID_LENGTH, newId, writeId } from "./event-id.ts";
import { members } from "./members.ts";
import { isPlain } from "./plain.ts";

export interface Wrapping {
  /** Default: a new one. */
  readonly id?: string;
  readonly topic: string;
  readonly pubsub: string;
  /** Empty: Layotto's default, `text/plain`. */
  readonly contentType: string;
  readonly data: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | undefined;
}

/**
 * The CloudEvents 1.0 envelope in the JSON format, with the members that Layotto writes. The data goes in as text that nobody parses and
 * prints again, or in `data_base64` where text could not carry it unchanged. A publisher's own CloudEvent
 * (`application/cloudevents+json`) keeps its members, and gets those that are missing.
 *
 * Throws a SyntaxError when the publisher's own CloudEvent is not a JSON object.
 */
export function wrap(w: Wrapping): Buffer {
  const type = w.contentType || TEXT;
  if (isCloudEvent(type)) return complete(w);
  const quick = isText(type) && w.expiresAt === undefined && isPlain(w.data, 0, w.data.length) ? plain(w, type) : undefined;
  if (quick) return quick;
  const head = `{"id":${JSON.stringify(w.id ?? newId())}${middle(w, type)},`;
  if (isJson(type) && isEmbeddable(w.data)) return Buffer.concat([Buffer.from(`${head}"data":`), w.data, END]);
  if (isText(type) && isUtf8(w.data)) return Buffer.from(`${head}"data":${JSON.stringify(view(w.data).toString())}}`);
  return Buffer.from(`${head}"data_base64":"${view(w.data).toString("base64")}"}`);
}

const END = Buffer.from("}");
const BEGIN = Buffer.from('{"id":"');
const QUOTE = 0x22;
const BRACE = 0x7d;

/**
 * Most events are texts that need no escaping, and of a topic only their id and data differ: they are put together as bytes. Undefined when
 * something in the id is to be escaped.
 */
function plain(w: Wrapping, type: string): Buffer | undefined {
  const between = remembered(w, type);
  const { id, data } = w;
  const idEnd = BEGIN.length + (id?.length ?? ID_LENGTH);
  const dataAt = idEnd + between.length;
  const dataEnd = dataAt + data.length;
  const bytes = Buffer.allocUnsafe(dataEnd + 2);
  if (id === undefined) writeId(bytes, BEGIN.length);
  // As many bytes as characters: it is ASCII.
  else if (bytes.write(id, BEGIN.length) !== id.length || !isPlain(bytes, BEGIN.length, idEnd)) return undefined;
  bytes.set(BEGIN, 0);
  bytes.set(between, idEnd);
  bytes.set(data, dataAt);
  bytes[dataEnd] = QUOTE;
  bytes[dataEnd + 1] = BRACE;
  return bytes;
}

let last = { topic: "", pubsub: "", type: "", between: Buffer.alloc(0) };

/** What stands between id and data; that of the last topic is kept. */
function remembered(w: Wrapping, type: string): Buffer {
  const { topic, pubsub } = w;
  if (last.topic !== topic || last.pubsub !== pubsub || last.type !== type) {
    last = { topic, pubsub, type, between: Buffer.from(`"${middle(w, type)},"data":"`) };
  }
  return last.between;
}

function middle(w: Wrapping, type: string): string {
  return `,"specversion":"${SPEC_VERSION}","source":"${SOURCE}","type":"${TYPE}","datacontenttype":${JSON.stringify(type)},${context(w)}`;
}
const OVERRIDDEN = new Set(["topic", "pubsubname", "traceid", "expiration"]);

function context(w: Wrapping): string {
  const expiration = w.expiresAt === undefined ? "" : `,"expiration":"${new Date(w.expiresAt).toISOString()}"`;
  return `"topic":${JSON.stringify(w.topic)},"pubsubname":${JSON.stringify(w.pubsub)},"traceid":""${expiration}`;
}

/** Valid JSON without space around it: the bytes between `"data":` and the end are then exactly those that were published. */
function isEmbeddable(data: Uint8Array): boolean {
  const text = isUtf8(data) ? view(data).toString() : "";
  return text === text.trim() && parses(text);
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Go Layotto panics on an event without id or datacontenttype: they are always written. Its defaults for the others are Dapr's. */
function complete(w: Wrapping): Buffer {
  const event: unknown = isUtf8(w.data) ? JSON.parse(view(w.data).toString()) : undefined;
  if (typeof event !== "object" || event === null || Array.isArray(event))
    throw new SyntaxError("a CloudEvent must be a JSON object in UTF-8");
  const own = members(w.data);
  const parts: Uint8Array[] = [Buffer.from("{")];
  for (const [name, span] of own) {
    const keptExpiration = name === "expiration" && w.expiresAt === undefined;
    if (OVERRIDDEN.has(name) && !keptExpiration) continue;
    parts.push(Buffer.from(`${JSON.stringify(name)}:`), w.data.subarray(span.start, span.end), COMMA);
  }
  const defaults = {
    id: w.id ?? newId(),
    specversion: SPEC_VERSION,
    source: "Dapr",
    type: "com.dapr.event.sent",
    datacontenttype: own.has("data_base64") ? BYTES : JSON_TYPE,
  };
  for (const [name, value] of Object.entries(defaults)) {
    if (!own.has(name)) parts.push(Buffer.from(`"${name}":${JSON.stringify(value)},`));
  }
  parts.push(Buffer.from(`${context(w)}}`));
  return Buffer.concat(parts);
}

const COMMA = Buffer.from(",");

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
