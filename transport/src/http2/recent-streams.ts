import { ConnectionError, ErrorCode } from "./protocol.ts";

const CLOSED = 256;
/** Of streams that were reset, at least. */
const RESET = 4_096;

/** The last streams that ended, and how: a frame that comes late means one thing after RST_STREAM, and another after END_STREAM (RFC 9113 section 5.1). */
export class RecentStreams {
  readonly #closed = new Int32Array(CLOSED);
  readonly #reset = new Set<number>();
  /** Twice as many as ran at once: all of them may be reset together, and so may the next, while much is still on its way. */
  #mostReset = RESET;
  #closedAt = 0;
  /** Streams that ended otherwise than by the peer's RST_STREAM, less those that came all the same. */
  #mayCross = 0;

  /** Both sides have ended it. */
  finished(id: number): void {
    this.#mayCross += 1;
    this.#closed[this.#closedAt] = id;
    this.#closedAt = (this.#closedAt + 1) % CLOSED;
  }

  /** By the peer. */
  wasReset(id: number): void {
    this.finished(id);
    this.#mayCross -= 1;
  }

  /** By us: the peer may not know yet. `running`: streams at the moment. */
  reset(id: number, running: number): void {
    this.#mayCross += 1;
    this.#reset.add(id);
    if (2 * running > this.#mostReset) this.#mostReset = 2 * running;
    if (this.#reset.size <= this.#mostReset) return;
    for (const oldest of this.#reset) {
      this.#reset.delete(oldest);
      return;
    }
  }

  /**
   * RST_STREAM on a stream that is over: it may have crossed with the end, as when a deadline passes at both sides. So each stream allows for one, however
   * many end together and however late it comes. False: there came more than that.
   */
  lateReset(): boolean {
    if (this.#mayCross === 0) return false;
    this.#mayCross -= 1;
    return true;
  }

  isReset(id: number): boolean {
    return this.#reset.has(id);
  }

  /** HEADERS on a stream that is over. Throws a ConnectionError, unless the peer may not know it yet. */
  lateHeaders(id: number): void {
    if (this.isReset(id)) return;
    const code = this.#closed.includes(id) ? ErrorCode.STREAM_CLOSED : ErrorCode.PROTOCOL_ERROR;
    throw new ConnectionError(code, "HEADERS on a stream that is closed");
  }
}
