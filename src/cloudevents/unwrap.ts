import { isUtf8 } from "node:buffer";
import { BYTES, isJson, JSON_TYPE } from "./content-type.ts";
import { type Event, SOURCE, SPEC_VERSION, TYPE } from "./event.ts";
import { expiresAt } from "./expiry.ts";
import { members } from "./members.ts";
import { openOwn } from "./own-envelope.ts";

/**
 * Reads the envelope that `wrap` and Go Layotto write, and any other CloudEvents 1.x in the JSON format. Undefined when the bytes are
 * something else: then they are the event, see `rawEvent`.
 */
export function unwrap(bytes: Uint8Array): Event | undefined {
  return openOwn(bytes) ?? unwrapAny(bytes);
}

/** The same for every envelope, by parsing it. */
export function unwrapAny(bytes: Uint8Array): Event | undefined {
  const envelope = parse(bytes);
  if (envelope === undefined || !/^1\./.test(text(envelope.specversion))) return undefined;
  const contentType = text(envelope.datacontenttype) || JSON_TYPE;
  const data = payload(bytes, envelope, contentType);
  if (data === undefined) return undefined;
  return {
    id: text(envelope.id),
    source: text(envelope.source),
    type: text(envelope.type),
    specVersion: text(envelope.specversion),
    contentType,
    data,
    expiresAt: expiresAt(envelope.expiration),
    raw: false,
  };
}

/** A message that is no CloudEvent, as an event: the bytes as they are, without an id. */
export function rawEvent(data: Uint8Array, contentType = BYTES): Event {
  return { id: "", source: SOURCE, type: TYPE, specVersion: SPEC_VERSION, contentType, data, expiresAt: undefined, raw: true };
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  if (!isUtf8(bytes)) return undefined;
  try {
    const value: unknown = JSON.parse(view(bytes).toString());
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined when `data_base64` is not base64: such an envelope cannot be trusted, and is handed over whole. */
function payload(bytes: Uint8Array, envelope: Readonly<Record<string, unknown>>, contentType: string): Uint8Array | undefined {
  const { data, data_base64: encoded } = envelope;
  if (encoded !== undefined && encoded !== null) {
    return typeof encoded === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(encoded) ? Buffer.from(encoded, "base64") : undefined;
  }
  if (data === undefined) return EMPTY;
  if (typeof data === "string" && !isJson(contentType)) return Buffer.from(data);
  const span = members(bytes).get("data");
  return span && bytes.subarray(span.start, span.end);
}

const EMPTY = new Uint8Array();

const text = (value: unknown): string => (typeof value === "string" ? value : "");

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
