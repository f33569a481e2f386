import type { HeaderTemplate } from "./header-template.ts";

/** What a chunk takes beside its bytes: messages of a few bytes each must not take many times what is counted. */
const CHUNK_BYTES = 128;

/** What a stream has to send and may not yet: payload, and at most one header section behind it. */
export class SendQueue {
  readonly #chunks: Uint8Array[] = [];
  #first = 0;
  /** How much of the first chunk is gone. */
  #at = 0;
  /** Bytes of payload that wait. */
  bytes = 0;
  /** Trailers, sent behind the payload; they end the stream. */
  trailers: HeaderTemplate | undefined;
  /** The payload ends the stream. */
  ends = false;
  /** When bytes of it were last sent, or it came to be; milliseconds of `performance.now()`. */
  progressAt = 0;

  /** What it takes here, in bytes. */
  get held(): number {
    return this.bytes + CHUNK_BYTES * (this.#chunks.length - this.#first);
  }

  get empty(): boolean {
    return this.bytes === 0 && this.trailers === undefined && !this.ends;
  }

  /** Nothing will be added any more. */
  get complete(): boolean {
    return this.ends || this.trailers !== undefined;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** Moves exactly `count` bytes to `target`, at `at`. There must be as many. */
  move(target: Buffer, at: number, count: number): void {
    this.bytes -= count;
    let to = at;
    const end = at + count;
    while (to < end) {
      const chunk = this.#chunks[this.#first] as Uint8Array;
      const take = Math.min(chunk.length - this.#at, end - to);
      target.set(chunk.subarray(this.#at, this.#at + take), to);
      to += take;
      this.#at += take;
      if (this.#at === chunk.length) this.#next();
    }
  }

  #next(): void {
    this.#at = 0;
    this.#first += 1;
    // Not for each chunk, and never for a few of many: all that follow are moved.
    if (this.#first === this.#chunks.length || (this.#first > 64 && this.#first > this.#chunks.length / 2)) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
