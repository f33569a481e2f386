import { encodedBytes, encodeHuffman } from "./huffman-encode.ts";

const FIRST_BYTES = 4096;
/** A buffer that grew beyond this is not kept. */
const KEPT_BYTES = 65536;
/** The most that an integer takes; ours are less than 2^32. */
const INTEGER_BYTES = 6;
/** Strings up to this long are written here, which takes less time than a call into the runtime. */
const SHORT = 32;

/** Writes integers and strings (RFC 7541 5) one after the other. */
export class BlockWriter {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = 0;

  open(): void {
    this.#at = 0;
  }

  /** A copy of what was written. */
  finish(): Buffer {
    const block = Buffer.allocUnsafe(this.#at);
    this.#buffer.copy(block, 0, 0, this.#at);
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return block;
  }

  /** `mask` has the bits of the prefix, `first` what stands before it in the first byte. */
  integer(first: number, mask: number, value: number): void {
    this.#reserve(INTEGER_BYTES);
    const buffer = this.#buffer;
    if (value < mask) {
      buffer[this.#at++] = first | value;
      return;
    }
    buffer[this.#at++] = first | mask;
    let rest = value - mask;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[this.#at++] = 0x80 | (rest & 0x7f);
    buffer[this.#at++] = rest;
  }

  /** With `huffman`, a string that gets shorter by it is Huffman encoded. Throws TypeError for what is not latin1. */
  string(text: string, huffman: boolean): void {
    const bytes = encodedBytes(text);
    if (huffman && bytes < text.length) {
      this.integer(0x80, 0x7f, bytes);
      this.#reserve(bytes);
      this.#at = encodeHuffman(text, this.#buffer, this.#at);
      return;
    }
    this.integer(0, 0x7f, text.length);
    this.#reserve(text.length);
    const buffer = this.#buffer;
    const at = this.#at;
    if (text.length > SHORT) buffer.write(text, at, "latin1");
    else for (let i = 0; i < text.length; i++) buffer[at + i] = text.charCodeAt(i);
    this.#at = at + text.length;
  }

  #reserve(bytes: number): void {
    const least = this.#at + bytes;
    if (least <= this.#buffer.length) return;
    const bigger = Buffer.allocUnsafeSlow(Math.max(least, this.#buffer.length * 2));
    this.#buffer.copy(bigger, 0, 0, this.#at);
    this.#buffer = bigger;
  }
}
