import { ConnectionError, ErrorCode } from "./protocol.ts";

/** A header block that comes in several frames, RFC 9113 section 6.10: no other frame may come between. */
export class HeaderAssembly {
  readonly streamId: number;
  readonly ended: boolean;
  readonly #maxBytes: number;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  /** `maxBytes` of the encoded block: it is of no use to collect what would be refused. */
  constructor(streamId: number, ended: boolean, maxBytes: number) {
    this.streamId = streamId;
    this.ended = ended;
    this.#maxBytes = maxBytes;
  }

  /** Throws a ConnectionError when it is too much: without the rest the table is lost, and with it the connection. */
  add(buffer: Buffer, start: number, end: number): void {
    this.#bytes += end - start;
    if (this.#bytes > this.#maxBytes) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `a header block of more than ${this.#maxBytes} bytes`);
    }
    // A copy: a few bytes must not keep all that was read with them.
    if (end > start) this.#parts.push(Buffer.from(buffer.subarray(start, end)));
  }

  block(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
