import { Status } from "../status.ts";
import { decompress, type Encoding } from "./compression.ts";

/** The flag and the length before each message. */
export const PREFIX_BYTES = 5;
/** What a message that has only begun gets; it grows as bytes come, not as it claims. */
const FIRST_BYTES = 4_096;

/** A call, as the messages on it are read. */
export interface MessageSink {
  /** Of both peers' headers. Undefined: the peer named one that we do not know. */
  readonly encoding: Encoding | undefined;
  readonly maxMessageBytes: number;
  /** No message is wanted now. */
  readonly paused: boolean;
  onMessage(message: Uint8Array): void;
  /** The call must fail: no message can be read from here on. */
  onUnreadable(code: Status, details: string): void;
  /** As in `HeldArrivals.hold`. */
  hold(bytes: number): boolean;
}

/** Puts messages together from the payload of a stream ("Length-Prefixed-Message" in gRPC's HTTP/2 protocol). */
export class MessageReader {
  readonly #sink: MessageSink;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  #message: Buffer | undefined;
  #length = 0;
  #have = 0;
  /** Bytes that are held for this call. */
  #held = 0;
  #broken = false;

  constructor(sink: MessageSink) {
    this.#sink = sink;
  }

  /** Nothing of a message has come. */
  get clean(): boolean {
    return this.#prefixBytes === 0;
  }

  /** Returns where it stopped: before `end` when the call was paused in between. */
  push(buffer: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && !this.#broken && !this.#sink.paused) {
      if (this.#prefixBytes < PREFIX_BYTES) {
        this.#prefix[this.#prefixBytes++] = buffer[at++] as number;
        if (this.#prefixBytes < PREFIX_BYTES) continue;
        this.#length = this.#prefix.readUInt32BE(1);
        if (this.#length > this.#sink.maxMessageBytes) {
          this.#fail(Status.RESOURCE_EXHAUSTED, tooLarge(this.#length, this.#sink.maxMessageBytes));
          return end;
        }
        // A message that lies in one piece is not copied.
        if (end - at >= this.#length) {
          this.#whole(buffer.subarray(at, at + this.#length));
          at += this.#length;
        }
        continue;
      }
      at = this.#fill(buffer, at, end);
    }
    return this.#broken ? end : at;
  }

  /** Gives back what is held for the message that was handed over last, or for one that was only begun. */
  release(): void {
    if (this.#held === 0) return;
    this.#sink.hold(-this.#held);
    this.#held = 0;
  }

  /** Counts a message that was handed over and has to wait. False: there is no room. */
  keep(message: Uint8Array): boolean {
    const more = message.length - this.#held;
    if (more <= 0) return true;
    if (!this.#sink.hold(more)) return false;
    this.#held += more;
    return true;
  }

  /** The call is over: what comes is of no use, not even the rest of what is being read. */
  stop(): void {
    this.#broken = true;
    this.release();
  }

  #fill(buffer: Buffer, from: number, end: number): number {
    const take = Math.min(this.#length - this.#have, end - from);
    if (!this.#grow(this.#have + take)) return end;
    buffer.copy(this.#message as Buffer, this.#have, from, from + take);
    this.#have += take;
    if (this.#have === this.#length) this.#whole((this.#message as Buffer).subarray(0, this.#length));
    return from + take;
  }

  #grow(bytes: number): boolean {
    const size = this.#message?.length ?? 0;
    if (bytes <= size) return true;
    const next = Math.min(this.#length, Math.max(bytes, 2 * size, FIRST_BYTES));
    if (!this.#sink.hold(next - size)) {
      this.#fail(Status.RESOURCE_EXHAUSTED, HELD_TOO_MUCH);
      return false;
    }
    this.#held += next - size;
    const grown = Buffer.allocUnsafeSlow(next);
    this.#message?.copy(grown, 0, 0, this.#have);
    this.#message = grown;
    return true;
  }

  #whole(message: Buffer): void {
    const flag = this.#prefix[0] as number;
    this.#prefixBytes = 0;
    this.#have = 0;
    this.#message = undefined;
    if (flag === 0) {
      this.#sink.onMessage(message);
      return;
    }
    const { encoding, maxMessageBytes } = this.#sink;
    if (flag !== 1) {
      this.#fail(Status.INTERNAL, `the flag of a message is ${flag}, not 0 or 1`);
      return;
    }
    if (encoding === "identity") {
      this.#fail(Status.INTERNAL, "a message is compressed, but no grpc-encoding was named");
      return;
    }
    if (encoding === undefined) {
      this.#fail(Status.UNIMPLEMENTED, "the grpc-encoding is not known; identity and gzip are");
      return;
    }
    const plain = decompress(message, maxMessageBytes);
    if (plain === undefined) this.#fail(Status.INTERNAL, "a message is not the gzip that it says to be");
    else if (plain === "tooLarge")
      this.#fail(Status.RESOURCE_EXHAUSTED, `a message is larger than ${maxMessageBytes} bytes when decompressed`);
    else this.#sink.onMessage(plain);
  }

  #fail(code: Status, details: string): void {
    this.#broken = true;
    this.#sink.onUnreadable(code, details);
  }
}

export const HELD_TOO_MUCH = "the connection holds too many bytes of unfinished messages";

export function tooLarge(bytes: number, maxBytes: number): string {
  return `a message of ${bytes} bytes; at most ${maxBytes} are allowed`;
}
