import { isUtf8 } from "node:buffer";
import { WireError } from "./wire-error.ts";

/** What a field of bytes is that was not sent. */
export const NO_BYTES: Uint8Array = Buffer.alloc(0);
/** protobuf-es lets messages and groups nest 100 deep; the message itself is one. */
const DEEPEST_GROUP = 99;
/** Names that were read before, by a hash. Comparing bytes with a string costs half of what making the string does. */
const NAMES: string[] = new Array(256).fill("");
const LONGEST_NAME = 40;
/** Called by its own name: V8 keeps strings in many forms, and looks a method up anew for each once it has met more than four. */
const { charCodeAt } = String.prototype;

/**
 * Reads protobuf's wire format as protobuf-es does in proto3, leniencies included: a known field is read as what it should be, whatever
 * wire type it has; a map entry may reach past its end. Every method throws a WireError when the bytes do not hold what is asked for.
 */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length;
  }

  /** Whether there is another field. */
  get more(): boolean {
    return this.#at < this.#end;
  }

  /** A field's number and wire type, as one number: `number << 3 | type`. */
  tag(): number {
    const start = this.#at;
    const tag = this.uint32();
    const size = this.#at - start;
    if (size > 5 || (size === 5 && (this.#bytes[start + 4] as number) > 0x0f)) throw new WireError("a field's number is too large");
    if (tag < 8 || (tag & 7) > 5) throw new WireError(`there is no field ${tag >>> 3} of wire type ${tag & 7}`);
    return tag;
  }

  /** A varint of up to ten bytes, cut to 32 bits. */
  uint32(): number {
    const bytes = this.#bytes;
    let at = this.#at;
    let byte = at < this.#end ? (bytes[at++] as number) : tooShort();
    let value = byte & 0x7f;
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift === 70) throw new WireError("a number has more than ten bytes");
      byte = at < this.#end ? (bytes[at++] as number) : tooShort();
      if (shift < 32) value |= (byte & 0x7f) << shift;
    }
    this.#at = at;
    return value >>> 0;
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    const start = this.#span();
    return this.#bytes.subarray(start, this.#at);
  }

  /** A string. Throws on UTF-8 that is not well-formed. */
  text(): string {
    const start = this.#span();
    return this.#decode(start, this.#at);
  }

  /** A string that is likely to come again, such as a topic. It is remembered. */
  name(): string {
    const start = this.#span();
    const bytes = this.#bytes;
    const length = this.#at - start;
    if (length === 0) return "";
    if (length > LONGEST_NAME) return this.#decode(start, this.#at);
    const slot =
      (length * 37 + (bytes[start] as number) * 7 + (bytes[this.#at - 1] as number) * 3 + (bytes[start + (length >> 1)] as number)) & 255;
    const known = NAMES[slot] as string;
    if (known.length === length) {
      let index = 0;
      while (index < length && charCodeAt.call(known, index) === bytes[start + index]) index += 1;
      if (index === length) return known;
    }
    const name = this.#decode(start, this.#at);
    // As many characters as bytes: it is ASCII, and only then is comparing them right.
    if (name.length === length) NAMES[slot] = name;
    return name;
  }

  /** An entry of a map of strings, into `record`. */
  entry(record: Record<string, string>): void {
    const length = this.uint32();
    const end = this.#at + length;
    let key = "";
    let value = "";
    while (this.#at < end) {
      const tag = this.tag();
      if (tag >>> 3 === 1) key = this.name();
      else if (tag >>> 3 === 2) value = this.text();
      else this.skip(tag);
    }
    // Assigning would set the prototype.
    if (key === "__proto__") Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
    else record[key] = value;
  }

  /** Goes past the field whose tag was just read. */
  skip(tag: number, deepest = DEEPEST_GROUP): void {
    switch (tag & 7) {
      case 0:
        this.#skipVarint();
        break;
      case 1:
        this.#advance(8);
        break;
      case 2:
        this.#advance(this.uint32());
        break;
      case 3:
        this.#skipGroup(tag, deepest);
        break;
      case 5:
        this.#advance(4);
        break;
      default:
        throw new WireError(`a group ends that did not begin, field ${tag >>> 3}`);
    }
  }

  #skipVarint(): void {
    do if (this.#at >= this.#end) tooShort();
    while ((this.#bytes[this.#at++] as number) > 0x7f);
  }

  #skipGroup(start: number, deepest: number): void {
    if (deepest <= 0) throw new WireError("groups are nested too deep");
    for (let tag = this.tag(); ; tag = this.tag()) {
      if (tag === start + 1) return;
      if ((tag & 7) === 4) throw new WireError(`the group of field ${start >>> 3} ends as that of field ${tag >>> 3}`);
      this.skip(tag, deepest - 1);
    }
  }

  /** Goes past what has its length before it; returns where that starts. */
  #span(): number {
    const length = this.uint32();
    const start = this.#at;
    this.#advance(length);
    return start;
  }

  #advance(count: number): void {
    this.#at += count;
    if (this.#at > this.#end) tooShort();
  }

  #decode(start: number, end: number): string {
    const text = this.#bytes.toString("utf8", start, end);
    // What is malformed has become U+FFFD; what was sent as U+FFFD is fine.
    if (text.includes("\ufffd") && !isUtf8(this.#bytes.subarray(start, end))) throw new WireError("a string is not UTF-8");
    return text;
  }
}

function tooShort(): never {
  throw new WireError("the message is cut short");
}
