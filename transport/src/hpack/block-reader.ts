import { HpackError } from "./errors.ts";
import { decodeHuffman, roomToDecode } from "./huffman-decode.ts";

/** The biggest integer taken (RFC 7541 5.1 lets us choose). */
const MAX_INTEGER = 2 ** 31;
/** The shift of the fifth continuation byte, after which there is nothing left that MAX_INTEGER has bits for. */
const MAX_SHIFT = 28;
/** Strings up to this long are made here, which takes less time than a call into the runtime. */
const SHORT = 12;
/** Longer strings get a buffer of their own, so that one long header is not paid for ever after. */
const SCRATCH_BYTES = 8192;

const NOTHING = Buffer.alloc(0);
let scratch: Buffer | undefined;

/** Reads integers and strings (RFC 7541 5) of a block from one place to the next. All of it throws HpackError. */
export class BlockReader {
  buffer: Buffer = NOTHING;
  at = 0;
  end = 0;

  open(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer;
    this.at = start;
    this.end = end;
  }

  /** So that a connection at rest does not hold on to what it read last. */
  close(): void {
    this.buffer = NOTHING;
  }

  byte(): number {
    if (this.at >= this.end) throw new HpackError("the block ends in the middle of a field");
    return this.buffer[this.at++] as number;
  }

  /** The integer whose first byte is `first`, already read; `mask` has the bits of its prefix. */
  integer(first: number, mask: number): number {
    let value = first & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= MAX_SHIFT; shift += 7) {
      const byte = this.byte();
      // Multiplied, since a shift would overflow.
      value += (byte & 0x7f) * 2 ** shift;
      if (value > MAX_INTEGER) break;
      if (byte < 0x80) return value;
    }
    throw new HpackError("an integer is too big");
  }

  string(): string {
    const first = this.byte();
    const length = this.integer(first, 0x7f);
    const start = this.at;
    if (length > this.end - start) throw new HpackError("a string goes beyond the end of the block");
    this.at = start + length;
    return first < 0x80 ? latin1(this.buffer, start, this.at) : huffman(this.buffer, start, this.at);
  }
}

function huffman(buffer: Buffer, start: number, end: number): string {
  const room = roomToDecode(end - start);
  let target = scratch;
  if (room > SCRATCH_BYTES) target = Buffer.allocUnsafe(room);
  else target ??= scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  return latin1(target, 0, decodeHuffman(buffer, start, end, target));
}

function latin1(buffer: Buffer, start: number, end: number): string {
  if (end - start > SHORT) return buffer.toString("latin1", start, end);
  let text = "";
  let at = start;
  for (; end - at >= 4; at += 4) {
    text += String.fromCharCode(buffer[at] as number, buffer[at + 1] as number, buffer[at + 2] as number, buffer[at + 3] as number);
  }
  switch (end - at) {
    case 1:
      return text + String.fromCharCode(buffer[at] as number);
    case 2:
      return text + String.fromCharCode(buffer[at] as number, buffer[at + 1] as number);
    case 3:
      return text + String.fromCharCode(buffer[at] as number, buffer[at + 1] as number, buffer[at + 2] as number);
  }
  return text;
}
