const SLAB_BYTES = 64 * 1024;
/** What does not fit any more, and is larger than this, gets memory of its own. */
const MOST_OF_SLAB = SLAB_BYTES / 8;
/** What is likely to follow a large field. */
const SLACK = 1024;
/** Up to here, a loop over ASCII is cheaper than a call to `write`. Below 128: the length is one byte. */
const SHORT = 12;
/** Called by its own name: V8 keeps strings in many forms, and looks a method up anew for each once it has met more than four. */
const { charCodeAt } = String.prototype;

/** Memory for small messages, and how much of it is taken. Undefined while a writer has it: a getter of what is encoded may encode, too. */
let slab: Buffer | undefined;
let taken = 0;

/**
 * Writes one message in protobuf's wire format. Fields that have their default value are left out, as proto3 does. `headroom` bytes
 * before the message are the caller's to fill.
 */
export class WireWriter {
  #bytes: Buffer;
  #start: number;
  #at: number;

  constructor(headroom: number) {
    this.#bytes = slab ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#start = slab ? taken : 0;
    this.#at = this.#start;
    slab = undefined;
    this.#need(headroom);
    this.#at += headroom;
  }

  /** The headroom and the message. The writer is done with: nothing writes there again. */
  finish(): Buffer {
    const written = this.#bytes.subarray(this.#start, this.#at);
    this.#release(this.#at);
    return written;
  }

  /** `tag` is below 128: that of a field below 16. Lone surrogates become U+FFFD. */
  text(tag: number, text: string): void {
    // Plain JavaScript may leave a field out.
    if (text === "" || text === undefined) return;
    this.#byte(tag);
    this.#text(text);
  }

  /** Fields that are encoded already. */
  encoded(fields: Uint8Array): void {
    this.#need(fields.length);
    this.#bytes.set(fields, this.#at);
    this.#at += fields.length;
  }

  bytes(tag: number, bytes: Uint8Array): void {
    const length = bytes.length;
    if (length === 0) return;
    this.#byte(tag);
    this.#need(length + 5);
    this.#at = putUint32(this.#bytes, this.#at, length);
    this.#bytes.set(bytes, this.#at);
    this.#at += length;
  }

  /** A map of strings. */
  entries(tag: number, record: Readonly<Record<string, string>>): void {
    for (const key of Object.keys(record)) {
      this.#byte(tag);
      const before = this.#at - this.#start;
      this.#byte(0);
      this.#byte(0x0a);
      this.#text(key);
      this.#byte(0x12);
      this.#text(record[key] as string);
      this.#need(5);
      const start = this.#start + before + 1;
      this.#at = putLength(this.#bytes, start, this.#at, 1);
    }
  }

  #byte(byte: number): void {
    this.#need(1);
    this.#bytes[this.#at++] = byte;
  }

  #text(value: string): void {
    // Plain JavaScript may pass a number.
    const text = typeof value === "string" ? value : String(value);
    const length = text.length;
    this.#need((length < SLACK ? length * 3 : Buffer.byteLength(text)) + 5);
    const bytes = this.#bytes;
    const at = this.#at;
    if (length <= SHORT) {
      let index = 0;
      for (; index < length; index++) {
        const code = charCodeAt.call(text, index);
        if (code > 0x7f) break;
        bytes[at + 1 + index] = code;
      }
      if (index === length) {
        bytes[at] = length;
        this.#at = at + 1 + length;
        return;
      }
    }
    // How much room its length takes is known for sure only afterwards.
    const guess = sizeOf(length);
    this.#at = putLength(bytes, at + guess, at + guess + bytes.write(text, at + guess), guess);
  }

  #need(room: number): void {
    if (this.#at + room > this.#bytes.length) this.#grow(room);
  }

  #grow(room: number): void {
    const written = this.#at - this.#start;
    const wanted = written + room;
    const bytes = Buffer.allocUnsafeSlow(wanted > MOST_OF_SLAB ? Math.max(wanted + SLACK, written * 2) : SLAB_BYTES);
    this.#bytes.copy(bytes, 0, this.#start, this.#at);
    if (wanted > MOST_OF_SLAB) this.#release(this.#start);
    this.#bytes = bytes;
    this.#start = 0;
    this.#at = written;
  }

  #release(end: number): void {
    if (this.#bytes.length !== SLAB_BYTES) return;
    slab = this.#bytes;
    taken = end;
  }
}

/** Puts the length of what was written from `start` to `end` before it, where `room` bytes were left for that. Returns the new end. */
function putLength(bytes: Buffer, start: number, end: number, room: number): number {
  const length = end - start;
  const size = sizeOf(length);
  if (size !== room) bytes.copyWithin(start - room + size, start, end);
  return putUint32(bytes, start - room, length) + length;
}

function putUint32(bytes: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}

function sizeOf(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}
