import type { Connection } from "./connection.ts";
import type { FieldSection } from "./field-section.ts";
import type { Inbox } from "./inbox.ts";
import { SendQueue } from "./send-queue.ts";

/** Why a stream ended other than by its two ends: who said so. `unsent`: the peer has certainly not seen it, or will certainly not work on it. */
export type ResetOrigin = "peer" | "local" | "connection" | "unsent";

/**
 * One HTTP/2 stream, RFC 9113 section 5. What arrives is handed to the `on…` methods, synchronously and in order; none is called after `onReset`.
 * The class of a call extends it, so that a call is one object.
 */
export abstract class Stream<Section extends FieldSection> {
  /** 0: not open yet. */
  id = 0;
  connection: Connection<Section> | undefined;
  /** We have sent END_STREAM; the peer has. */
  localEnded = false;
  remoteEnded = false;
  /** Nothing of it will be sent or handed over any more. */
  over = false;
  /** What we may send; what the peer may. */
  sendWindow = 0;
  receiveWindow = 0;
  /** Bytes that were taken and not yet given back to the peer's window. */
  owed = 0;
  /** What waits for a window, or for the socket. */
  queue: SendQueue | undefined;
  /** Header sections that came and did not end it, of an answer: the interim ones, and its head. */
  heads = 0;
  /** What the peer announced, less what came; -1: nothing announced. */
  expected = -1;
  /** What arrived while it was paused; undefined: it is not. Whoever ends the stream discards it, unless it is still to be taken. */
  inbox: Inbox<Section> | undefined;

  /** A header section: the first one, or trailers. */
  abstract onHeaders(section: Section, ended: boolean): void;
  /** Payload, `buffer` from `start` to `end`; it may be kept, and is never written to. */
  abstract onData(buffer: Buffer, start: number, end: number, ended: boolean): void;
  /** Ended by RST_STREAM, by us or the peer, or with its connection. */
  abstract onReset(code: number, origin: ResetOrigin, reason: string): void;
  /** All that waited has been sent. */
  onWritable(): void {}
  /** Our end of the connection takes no more streams, and ends with the last of those that run. */
  onClosing(): void {}

  /** Counts payload against what was announced (RFC 9113 section 8.1.1). False: it is too much, or the end comes too early. */
  fits(bytes: number, ended: boolean): boolean {
    this.expected -= bytes;
    return ended ? this.expected === 0 : this.expected >= 0;
  }

  get paused(): boolean {
    return this.inbox !== undefined;
  }

  get waiting(): SendQueue {
    this.queue ??= new SendQueue();
    return this.queue;
  }
}
