import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import type { Outgoing } from "../../pubsub/outgoing.ts";

/**
 * A message on the wire. The body is the bytes as text, or base64 where text cannot carry them. Everything else is in the one message
 * attribute `layotto`: with more than ten attributes SNS says that it has published, and the queue gets nothing.
 */
export const ATTRIBUTE = "layotto";
const TYPE = "String";
/** What counts against the limits of AWS beside the body and the attribute's value: its name and its type. */
const ATTRIBUTE_OVERHEAD = ATTRIBUTE.length + TYPE.length;
/** An empty body is not allowed: as base64 these are no bytes. */
const NOTHING = "=";

/** What the attribute says, as JSON. */
interface Head {
  /** The message's position, given by its publisher: the queue of every group gives it another id. */
  readonly id: string;
  readonly key?: string;
  readonly base64?: true;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** One message as SNS takes it. */
export interface Encoded {
  readonly message: Outgoing;
  readonly position: string;
  readonly key: string | undefined;
  readonly body: string;
  readonly attribute: string;
  /** As AWS counts it. */
  readonly size: number;
}

/** `defaultKey`: that of messages without one. */
export function encode(message: Outgoing, position: string, defaultKey: string | undefined): Encoded {
  const { data, attributes } = message;
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const key = message.key ?? defaultKey;
  const text = textOf(bytes);
  const body = text ?? (bytes.length === 0 ? NOTHING : bytes.toString("base64"));
  const head: Head = {
    id: position,
    ...(key !== undefined && { key }),
    ...(text === undefined && { base64: true }),
    ...(!isEmpty(attributes) && { attributes }),
  };
  const attribute = asciiEdges(JSON.stringify(head));
  const bodySize = text === undefined ? body.length : bytes.length;
  return { message, position, key, body, attribute, size: bodySize + Buffer.byteLength(attribute) + ATTRIBUTE_OVERHEAD };
}

export function attributesOf({ attribute }: Encoded): Record<string, { DataType: string; StringValue: string }> {
  return { [ATTRIBUTE]: { DataType: TYPE, StringValue: attribute } };
}

/**
 * A message group's id, of which AWS takes 128 printable characters: else a hash. A message without a key is in no order: it has a group
 * of its own, which is the same when it is published again, since ids may be de-duplicated within a group.
 */
export function messageGroup({ key, position, message }: Encoded): string {
  return key === undefined ? printable(message.dedupId ?? position) : printable(key);
}

/** Of the publisher's own wish, or of our making and never seen before: never the event's id, which a dead letter and a redrive repeat. */
export function deduplication({ message, position }: Encoded): string {
  return message.dedupId === undefined ? position : printable(message.dedupId);
}

function printable(text: string): string {
  return /^[!-~]{1,128}$/.test(text) ? text : createHash("sha256").update(text).digest("hex");
}

/** A message that was received. */
export interface Entry {
  readonly position: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key: string | undefined;
  /** What it counts against a window of bytes. */
  readonly size: number;
}

/** The part of a received message that this reads. */
export interface Received {
  readonly MessageId?: string | undefined;
  readonly Body?: string | undefined;
  readonly Attributes?: Readonly<Record<string, string>> | undefined;
  readonly MessageAttributes?: Readonly<Record<string, ReceivedAttribute>> | undefined;
}

interface ReceivedAttribute {
  readonly StringValue?: string | undefined;
  readonly BinaryValue?: Uint8Array | undefined;
}

/**
 * `raw`: the subscription delivers the body itself, not a notification around it. What is of our making never is such a notification, whatever
 * its body looks like; what is not is handed on as it is (D13).
 */
export function decode(received: Received, raw: boolean): Entry {
  const isOurs = headOf(received.MessageAttributes?.[ATTRIBUTE]?.StringValue) !== undefined;
  const { Body: body = "", MessageAttributes: attributes = {} } = (raw || isOurs ? undefined : unwrapped(received)) ?? received;
  const head = headOf(attributes[ATTRIBUTE]?.StringValue);
  const data = Buffer.from(body, head?.base64 ? "base64" : "utf8");
  const position = head?.id ?? received.MessageId ?? "";
  const foreign = Object.entries(attributes).filter(([name]) => !head || name !== ATTRIBUTE);
  const own = head?.attributes ?? {};
  const all = foreign.length === 0 ? own : { ...Object.fromEntries(foreign.map(([name, value]) => [name, shown(value)])), ...own };
  // What other programs publish in a message group is in order by that.
  const key = head ? head.key : received.Attributes?.MessageGroupId;
  const size = data.length + (attributes[ATTRIBUTE]?.StringValue?.length ?? 0);
  return { position, data, attributes: all, key, size };
}

function shown({ StringValue, BinaryValue }: ReceivedAttribute): string {
  return StringValue ?? Buffer.from(BinaryValue ?? []).toString("base64");
}

function headOf(text: string | undefined): Head | undefined {
  const head = text === undefined ? undefined : objectOf(text);
  if (typeof head?.id !== "string") return undefined;
  const { id, key, base64, attributes } = head;
  return {
    id,
    ...(typeof key === "string" && { key }),
    ...(base64 === true && { base64 }),
    ...(isTexts(attributes) && { attributes }),
  };
}

/** What a subscription without raw delivery makes of a message. Undefined: it is no such notification. */
function unwrapped({ Body }: Received): Pick<Received, "Body" | "MessageAttributes"> | undefined {
  const notification = objectOf(Body ?? "");
  if (notification?.Type !== "Notification" || typeof notification.Message !== "string") return undefined;
  const given: unknown = notification.MessageAttributes ?? {};
  if (typeof given !== "object" || given === null) return undefined;
  const attributes: [string, ReceivedAttribute][] = [];
  for (const [name, attribute] of Object.entries(given as Readonly<Record<string, { readonly Value?: unknown } | null>>)) {
    if (typeof attribute?.Value !== "string") return undefined;
    attributes.push([name, { StringValue: attribute.Value }]);
  }
  return { Body: notification.Message, MessageAttributes: Object.fromEntries(attributes) };
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed) ? (parsed as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && Object.values(value).every((one) => typeof one === "string");
}

function isEmpty(attributes: Readonly<Record<string, string>>): boolean {
  for (const _ in attributes) return false;
  return true;
}

/** SQS takes the characters of XML and no others. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about.
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Undefined: text cannot carry the bytes. */
function textOf(bytes: Buffer): string | undefined {
  if (bytes.length === 0 || !isUtf8(bytes)) return undefined;
  const text = bytes.toString();
  return NOT_XML.test(text) ? undefined : text;
}

/** JSON escapes control characters and halves of pairs by itself; these two are no characters of XML either. */
function asciiEdges(json: string): string {
  return json.replace(/[\ufffe\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`);
}
