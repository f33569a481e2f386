import { createHash } from "node:crypto";

/**
 * Names of ours as names of AWS. SNS and SQS take letters, digits, `-` and `_`. A name of those stays as it is; any other character is
 * written `_xHEX_` by its code point, and so is a `_` that would look like the beginning of that. A name that is too long keeps its
 * beginning, and ends in `__xH` and a hash. No two names of ours become one, but for the `.fifo` that AWS wants at the end of a FIFO
 * topic's name: who writes it means the same topic as who leaves it to us.
 */
const TOPIC_LENGTH = 256;
const QUEUE_LENGTH = 80;
const FIFO = ".fifo";
const HASHED = "__xH";
const HASH_LENGTH = 32;
/** Between topic and group in the name of a queue. Both escape what would look like it. */
const SEPARATOR = "--";
/** The last of Unicode. */
const LAST_POINT = 0x10ffff;

export interface AwsName {
  readonly name: string;
  /** The name itself does not tell what it stands for. */
  readonly hashed: boolean;
}

export function topicName(topic: string, fifo: boolean): AwsName {
  const bare = fifo ? withoutFifo(topic) : topic;
  return fitted(encodeName(bare), bare, TOPIC_LENGTH, fifo);
}

export function queueName(topic: string, group: string, fifo: boolean): AwsName {
  const bare = fifo ? withoutFifo(topic) : topic;
  return fitted([part(bare), part(group)].join(SEPARATOR), JSON.stringify([bare, group]), QUEUE_LENGTH, fifo);
}

/** Only tags tell what it stands for. */
export function isHashed(name: string): boolean {
  return name.includes(HASHED);
}

/** The topic that has this name at SNS. Undefined: the name does not tell. */
export function topicOf(name: string): string | undefined {
  const plain = withoutFifo(name);
  return isHashed(plain) ? undefined : decodeName(plain);
}

/** Topic and group of the queue with this name. Undefined: the name does not tell, or is not of our making. */
export function groupOf(name: string): { readonly topic: string; readonly group: string } | undefined {
  const plain = withoutFifo(name);
  const at = plain.indexOf(SEPARATOR);
  if (at < 0 || isHashed(plain)) return undefined;
  return { topic: decodeName(plain.slice(0, at)), group: decodeName(plain.slice(at + SEPARATOR.length)) };
}

/** A value of a tag, of which AWS takes few characters. `decodeName` reads it. */
export function encodeName(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]|_(?=x[0-9A-FH])/gu, escaped);
}

export function decodeName(name: string): string {
  return name.replace(/_x([0-9A-F]{1,6})_/g, (written, hex: string) => {
    const point = Number.parseInt(hex, 16);
    // A name of somebody else's may look like it.
    return point > LAST_POINT ? written : String.fromCodePoint(point);
  });
}

/** Not more than one `-` in a row, and none at either end: else the separator could not be found. */
function part(text: string): string {
  return encodeName(text).replace(/^-|-(?=-)|-$/g, escaped);
}

function escaped(character: string): string {
  return `_x${character.codePointAt(0)?.toString(16).toUpperCase()}_`;
}

function fitted(name: string, original: string, most: number, fifo: boolean): AwsName {
  const tail = fifo ? FIFO : "";
  const room = most - tail.length;
  if (name.length <= room) return { name: name + tail, hashed: false };
  const hash = createHash("sha256").update(original).digest("hex").toUpperCase().slice(0, HASH_LENGTH);
  return { name: name.slice(0, room - HASHED.length - HASH_LENGTH) + HASHED + hash + tail, hashed: true };
}

function withoutFifo(name: string): string {
  return name.endsWith(FIFO) ? name.slice(0, -FIFO.length) : name;
}
