/** What is sent: RESP2, an array of bulk strings. Text is sent as UTF-8. */
export type Argument = string | Buffer;
/** A server's reply: bulk strings are Buffers, numbers numbers, arrays arrays. */
export type Reply = Buffer | number | null | readonly Reply[];

/** An error that the server answered, in its words. */
export class RespError extends Error {
  override readonly name = "ReplyError";
}

/** The bytes are no RESP2: nothing can be made of what follows. */
export class RespSyntaxError extends Error {
  override readonly name = "RespSyntaxError";
}

const CR = 0x0d;
const SLAB_BYTES = 64 * 1024;
/** An argument of this size goes out as it is, not through a slab. */
const LARGE_BYTES = 16 * 1024;

/** Puts commands one behind the other, to be sent in as few pieces as possible. */
export class CommandWriter {
  #slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #from = 0;
  #at = 0;
  #pieces: Buffer[] = [];

  add(name: string, args: readonly Argument[]): void {
    this.#number(0x2a, args.length + 1);
    this.#text(name);
    for (const argument of args) {
      if (typeof argument === "string") this.#text(argument);
      else this.#bytes(argument);
    }
  }

  /** All that was added since the last time. It is valid until `reuse` is called. */
  take(): readonly Buffer[] {
    this.#cut();
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  /** What was taken has left: its memory is free. */
  reuse(): void {
    if (this.#from !== this.#at || this.#pieces.length > 0) return;
    this.#from = 0;
    this.#at = 0;
  }

  #text(text: string): void {
    const { length } = text;
    // No character takes more than three bytes.
    if (3 * length > LARGE_BYTES) {
      this.#bytes(Buffer.from(text));
      return;
    }
    this.#room(3 * length + 16);
    const at = this.#at;
    const digits = 1 + (length > 9 ? 1 : 0) + (length > 99 ? 1 : 0) + (length > 999 ? 1 : 0) + (length > 9_999 ? 1 : 0);
    const start = at + digits + 3;
    const bytes = writeText(this.#slab, start, text);
    if (bytes === length) this.#number(0x24, length);
    else {
      // Longer than it looked: its length may need another digit.
      this.#number(0x24, bytes);
      writeText(this.#slab, this.#at, text);
    }
    this.#at += bytes;
    this.#end();
  }

  #bytes(bytes: Buffer): void {
    this.#number(0x24, bytes.length);
    if (bytes.length >= LARGE_BYTES) {
      this.#cut();
      this.#pieces.push(bytes);
    } else {
      this.#room(bytes.length + 2);
      this.#slab.set(bytes, this.#at);
      this.#at += bytes.length;
    }
    this.#end();
  }

  #number(mark: number, value: number): void {
    this.#room(16);
    this.#slab[this.#at++] = mark;
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits += 1;
    let rest = value;
    for (let at = this.#at + digits - 1; at >= this.#at; at--) {
      this.#slab[at] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.#at += digits;
    this.#end();
  }

  #end(): void {
    this.#room(2);
    this.#slab[this.#at++] = CR;
    this.#slab[this.#at++] = 0x0a;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#slab.length) return;
    this.#cut();
    this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#from = 0;
    this.#at = 0;
  }

  #cut(): void {
    if (this.#from === this.#at) return;
    this.#pieces.push(this.#slab.subarray(this.#from, this.#at));
    this.#from = this.#at;
  }
}

/** Called by its own name: V8 keeps strings in many forms, and looks a method up anew for each once it has met more than four. */
const { charCodeAt } = String.prototype;
/** Up to here, a loop over ASCII is cheaper than a call out of JavaScript. */
const SHORT = 12;

/** Returns the bytes written. */
function writeText(target: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length > SHORT) return target.write(text, at);
  for (let index = 0; index < length; index++) {
    const char = charCodeAt.call(text, index);
    if (char > 0x7f) return target.write(text, at);
    target[at + index] = char;
  }
  return length;
}

interface Unfinished {
  readonly items: (Reply | RespError)[];
  readonly length: number;
}

/** Reads replies as their bytes come. What came is never read twice, however it is cut. */
export class ReplyReader {
  readonly #reply: (reply: Reply | RespError) => void;
  readonly #arrays: Unfinished[] = [];
  #rest: Buffer[] = [];
  #restBytes = 0;
  /** Bytes that must be there before it is worth looking again. */
  #needed = 0;

  /** `reply` gets each reply, in order. An error within an array stays an Error there. */
  constructor(reply: (reply: Reply | RespError) => void) {
    this.#reply = reply;
  }

  /** Throws a RespSyntaxError. What `reply` throws comes through. */
  push(chunk: Buffer): void {
    let buffer = chunk;
    if (this.#restBytes > 0) {
      this.#rest.push(chunk);
      this.#restBytes += chunk.length;
      if (this.#restBytes < this.#needed) return;
      buffer = Buffer.concat(this.#rest, this.#restBytes);
      this.#rest = [];
      this.#restBytes = 0;
    }
    let at = 0;
    while (at < buffer.length) {
      const next = this.#element(buffer, at);
      if (next === undefined) {
        this.#rest = [buffer.subarray(at)];
        this.#restBytes = buffer.length - at;
        return;
      }
      at = next;
    }
  }

  /** Reads one element; returns where the next one begins, or undefined when it is not whole. */
  #element(buffer: Buffer, at: number): number | undefined {
    const lineEnd = endOfLine(buffer, at + 1);
    if (lineEnd < 0) {
      this.#needed = buffer.length - at + 1;
      return undefined;
    }
    const next = lineEnd + 2;
    const mark = buffer[at];
    switch (mark) {
      case 0x24: {
        const length = numberAt(buffer, at + 1, lineEnd);
        if (length < 0) {
          this.#value(null);
          return next;
        }
        const end = next + length;
        if (end + 2 > buffer.length) {
          this.#needed = end + 2 - at;
          return undefined;
        }
        this.#value(buffer.subarray(next, end));
        return end + 2;
      }
      case 0x3a:
        this.#value(numberAt(buffer, at + 1, lineEnd));
        return next;
      case 0x2a: {
        const length = numberAt(buffer, at + 1, lineEnd);
        if (length < 0) this.#value(null);
        else if (length === 0) this.#value([]);
        else this.#arrays.push({ items: [], length });
        return next;
      }
      case 0x2b:
        this.#value(buffer.subarray(at + 1, lineEnd));
        return next;
      case 0x2d:
        this.#value(new RespError(buffer.toString("utf8", at + 1, lineEnd)));
        return next;
      default:
        throw new RespSyntaxError(`a reply begins with byte ${mark}, which is none of RESP2`);
    }
  }

  #value(first: Reply | RespError): void {
    let value = first;
    for (let top = this.#arrays.at(-1); top !== undefined; top = this.#arrays.at(-1)) {
      top.items.push(value);
      if (top.items.length < top.length) return;
      this.#arrays.pop();
      value = top.items as Reply;
    }
    this.#reply(value);
  }
}

/** Where CR LF begins; -1: not yet there. */
function endOfLine(buffer: Buffer, from: number): number {
  for (let at = from; at + 1 < buffer.length; at++) if (buffer[at] === CR) return at;
  return -1;
}

function numberAt(buffer: Buffer, from: number, end: number): number {
  let at = from;
  const negative = buffer[at] === 0x2d;
  if (negative) at += 1;
  let value = 0;
  for (; at < end; at++) value = value * 10 + ((buffer[at] as number) - 0x30);
  return negative ? -value : value;
}
