import { isUtf8 } from "node:buffer";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Argument, Reply } from "./connection.ts";
import { idTime } from "./id.ts";

/**
 * An entry of a stream on the wire: field `data` holds the bytes, field `metadata` the attributes as a JSON object when there are any.
 * The same as Dapr writes; Layotto reads and writes `data` alone.
 */
const DATA = "data";
const METADATA = "metadata";
const DATA_NAME = Buffer.from(DATA);
const METADATA_NAME = Buffer.from(METADATA);
/** The message's key travels among the attributes. An attribute that happens to have this name gets a tail, which is cut off again. */
const KEY = "layotto.key";
const TAILED = /^layotto\.key_+$/;

export interface Entry {
  readonly position: string;
  readonly publishedAt: number;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  /** What it counts against a window of bytes. */
  readonly size: number;
}

export function xaddArguments(message: Outgoing): Argument[] {
  const { data } = message;
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const metadata = encodeAttributes(message);
  return metadata === undefined ? [message.topic, "*", DATA, bytes] : [message.topic, "*", DATA, bytes, METADATA, metadata];
}

function encodeAttributes({ attributes, key }: Outgoing): string | undefined {
  let plain = key === undefined;
  let any = false;
  for (const name in attributes) {
    any = true;
    if (name === KEY || TAILED.test(name)) plain = false;
  }
  if (plain) return any ? JSON.stringify(attributes) : undefined;
  const pairs = Object.entries(attributes).map(([name, value]) => [name === KEY || TAILED.test(name) ? `${name}_` : name, value]);
  if (key !== undefined) pairs.push([KEY, key]);
  return JSON.stringify(Object.fromEntries(pairs));
}

/** `row` is an id and its fields, as XREADGROUP, XCLAIM and XRANGE give them. */
export function decodeEntry(row: readonly Reply[]): Entry {
  const position = String(row[0]);
  const fields = (row[1] ?? []) as readonly Buffer[];
  let data: Uint8Array | undefined;
  let metadata: Buffer | undefined;
  let foreign: [string, string][] | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as Buffer;
    const value = fields[i + 1] as Buffer;
    if (data === undefined && name.equals(DATA_NAME)) data = value;
    else if (metadata === undefined && name.equals(METADATA_NAME)) metadata = value;
    else {
      foreign ??= [];
      foreign.push([String(name), String(value)]);
    }
  }
  const publishedAt = idTime(position);
  if (data === undefined) {
    const object = objectOf(fields);
    return { position, publishedAt, data: object, attributes: {}, size: object.length };
  }
  let attributes: Record<string, string> = metadata === undefined ? {} : decodeAttributes(metadata.toString());
  if (foreign) attributes = { ...Object.fromEntries(foreign), ...attributes };
  const size = data.length + (metadata?.length ?? 0);
  const key = takeKey(attributes);
  return key === undefined ? { position, publishedAt, data, attributes, size } : { position, publishedAt, data, attributes, key, size };
}

/** What is not a JSON object of texts is somebody else's: it is handed on as it is. */
function decodeAttributes(text: string): Record<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { [METADATA]: text };
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return { [METADATA]: text };
  const attributes = parsed as Record<string, unknown>;
  for (const name in attributes) {
    const value = attributes[name];
    if (typeof value !== "string") attributes[name] = JSON.stringify(value);
  }
  return attributes as Record<string, string>;
}

function namesKey(attributes: Readonly<Record<string, string>>): boolean {
  for (const name in attributes) if (name.startsWith(KEY)) return true;
  return false;
}

/** Removes the key from the attributes, and the tails of those that had its name. */
function takeKey(attributes: Record<string, string>): string | undefined {
  if (!namesKey(attributes)) return undefined;
  const key = attributes[KEY];
  if (key !== undefined) delete attributes[KEY];
  const tailed = Object.keys(attributes)
    .filter((name) => TAILED.test(name))
    .sort((a, b) => a.length - b.length);
  for (const name of tailed) {
    const value = attributes[name] ?? "";
    delete attributes[name];
    attributes[name.slice(0, -1)] = value;
  }
  return key;
}

/** A foreign entry without `data`: the JSON object of its fields. A repeated field becomes an array, bytes that are no text `{"base64": …}`. */
function objectOf(fields: readonly Buffer[]): Uint8Array {
  const values = new Map<string, unknown[]>();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = String(fields[i]);
    const value = fields[i + 1] as Buffer;
    const shown = isUtf8(value) ? value.toString() : { base64: value.toString("base64") };
    const list = values.get(name);
    if (list) list.push(shown);
    else values.set(name, [shown]);
  }
  const members = [...values].map(([name, list]) => `${JSON.stringify(name)}:${JSON.stringify(list.length === 1 ? list[0] : list)}`);
  return Buffer.from(`{${members.join(",")}}`);
}
