const REMEMBERED = 256;

/** The last streams that ended, and how: a frame that comes late means one thing after RST_STREAM, and another after END_STREAM (RFC 9113 section 5.1). */
export class RecentStreams {
  readonly #closed = new Int32Array(REMEMBERED);
  readonly #reset = new Int32Array(REMEMBERED);
  #closedAt = 0;
  #resetAt = 0;

  closed(id: number): void {
    this.#closed[this.#closedAt] = id;
    this.#closedAt = (this.#closedAt + 1) % REMEMBERED;
  }

  /** By us: the peer may not know yet. */
  reset(id: number): void {
    this.#reset[this.#resetAt] = id;
    this.#resetAt = (this.#resetAt + 1) % REMEMBERED;
  }

  isClosed(id: number): boolean {
    return this.#closed.includes(id);
  }

  isReset(id: number): boolean {
    return this.#reset.includes(id);
  }
}
