import { ConnectionError, ErrorCode } from "./protocol.ts";

const CLOSED = 256;
/** More than the streams that usually run at once: all of them may be reset together, and much may still be on its way. */
const RESET = 4_096;

/** The last streams that ended, and how: a frame that comes late means one thing after RST_STREAM, and another after END_STREAM (RFC 9113 section 5.1). */
export class RecentStreams {
  readonly #closed = new Int32Array(CLOSED);
  readonly #reset = new Set<number>();
  #closedAt = 0;

  closed(id: number): void {
    this.#closed[this.#closedAt] = id;
    this.#closedAt = (this.#closedAt + 1) % CLOSED;
  }

  /** By us: the peer may not know yet. */
  reset(id: number): void {
    this.#reset.add(id);
    if (this.#reset.size <= RESET) return;
    for (const oldest of this.#reset) {
      this.#reset.delete(oldest);
      return;
    }
  }

  isClosed(id: number): boolean {
    return this.#closed.includes(id);
  }

  isReset(id: number): boolean {
    return this.#reset.has(id);
  }

  /** HEADERS on a stream that is over. Throws a ConnectionError, unless the peer may not know it yet. */
  lateHeaders(id: number): void {
    if (this.isReset(id)) return;
    const code = this.isClosed(id) ? ErrorCode.STREAM_CLOSED : ErrorCode.PROTOCOL_ERROR;
    throw new ConnectionError(code, "HEADERS on a stream that is closed");
  }
}
