import { ConnectionError, ErrorCode, FRAME_HEADER_BYTES } from "./protocol.ts";

/** Gets each frame once, whole, in order. Its payload is `buffer` from `start` to `end`: a view of what was read, valid for as long as it is held. */
export interface FrameSink {
  frame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void;
  /** False: nothing more is to be read. */
  readonly reading: boolean;
}

/** Cuts what arrives into frames, RFC 9113 section 4.1. A frame that lies within one chunk is not copied; one that does not is copied once. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameBytes: number;
  /** The frame that the last chunk began, as far as it is there. */
  #partial: Buffer | undefined;
  #have = 0;
  #need = 0;

  constructor(sink: FrameSink, maxFrameBytes: number) {
    this.#sink = sink;
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Throws a ConnectionError (FRAME_SIZE_ERROR) as soon as a frame says that it is too large. */
  push(chunk: Buffer, from = 0): void {
    let at = from;
    if (this.#partial !== undefined) {
      at = this.#complete(chunk, at);
      if (this.#partial !== undefined) return;
    }
    const length = chunk.length;
    while (length - at >= FRAME_HEADER_BYTES && this.#sink.reading) {
      const end = at + FRAME_HEADER_BYTES + this.#payloadBytes(chunk, at);
      if (end > length) break;
      this.#emit(chunk, at, end);
      at = end;
    }
    if (at < length && this.#sink.reading) this.#begin(chunk, at);
  }

  #emit(buffer: Buffer, at: number, end: number): void {
    const id =
      (((buffer[at + 5] as number) & 0x7f) << 24) | (byte(buffer, at + 6) << 16) | (byte(buffer, at + 7) << 8) | byte(buffer, at + 8);
    this.#sink.frame(byte(buffer, at + 3), byte(buffer, at + 4), id, buffer, at + FRAME_HEADER_BYTES, end);
  }

  #payloadBytes(buffer: Buffer, at: number): number {
    const length = (byte(buffer, at) << 16) | (byte(buffer, at + 1) << 8) | byte(buffer, at + 2);
    if (length > this.#maxFrameBytes) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes; at most ${this.#maxFrameBytes} are allowed`);
    }
    return length;
  }

  #begin(chunk: Buffer, at: number): void {
    const have = chunk.length - at;
    const need = have < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : FRAME_HEADER_BYTES + this.#payloadBytes(chunk, at);
    this.#partial = Buffer.allocUnsafe(need);
    chunk.copy(this.#partial, 0, at);
    this.#have = have;
    this.#need = need;
  }

  /** Fills up the frame that was begun; returns where the rest of the chunk begins. */
  #complete(chunk: Buffer, from: number): number {
    let at = from;
    for (;;) {
      const partial = this.#partial as Buffer;
      const take = Math.min(this.#need - this.#have, chunk.length - at);
      chunk.copy(partial, this.#have, at, at + take);
      this.#have += take;
      at += take;
      if (this.#have < this.#need) return at;
      const whole = FRAME_HEADER_BYTES + this.#payloadBytes(partial, 0);
      if (whole === this.#need) {
        this.#partial = undefined;
        this.#emit(partial, 0, whole);
        return at;
      }
      // Only the header was there: now its length is known.
      const grown = Buffer.allocUnsafe(whole);
      partial.copy(grown, 0, 0, FRAME_HEADER_BYTES);
      this.#partial = grown;
      this.#need = whole;
    }
  }
}

function byte(buffer: Buffer, at: number): number {
  return buffer[at] as number;
}
