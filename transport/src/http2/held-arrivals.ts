import type { FieldSection } from "./field-section.ts";
import { Inbox } from "./inbox.ts";
import type { ReceiveWindows } from "./receive-windows.ts";
import type { Stream } from "./stream.ts";

/** What a piece of payload takes beside its bytes while it is held: it may have come one byte at a time. */
const PIECE_BYTES = 256;

/**
 * What a connection holds for its calls, at most `maxHeldBytes` of it: what arrives for streams that are paused, which lies in their inboxes, and
 * messages that are unfinished or wait, which lie with whoever reads them and are only counted here.
 */
export class HeldArrivals<Section extends FieldSection> {
  readonly #windows: ReceiveWindows<Section>;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(windows: ReceiveWindows<Section>, maxBytes: number) {
    this.#windows = windows;
    this.#maxBytes = maxBytes;
  }

  /** Accounts for bytes of unfinished or untaken messages. False: there is no room, and nothing was counted. A negative number gives back. */
  hold(bytes: number): boolean {
    if (bytes > 0 && this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Begins to keep what arrives for the stream; the peer's window for it is then not renewed. */
  pause(stream: Stream<Section>): void {
    stream.inbox ??= new Inbox();
  }

  /** Payload of a stream that is paused. False: there is no room, and it was not kept. */
  push(inbox: Inbox<Section>, buffer: Buffer, start: number, end: number, ended: boolean): boolean {
    if (!this.hold(end - start + PIECE_BYTES)) return false;
    inbox.push({ data: Buffer.from(buffer.subarray(start, end)), ended });
    return true;
  }

  /** Hands over what was kept, and goes on. It stops again if the stream is paused while it takes. A stream that is over may have something left. */
  resume(stream: Stream<Section>): void {
    const kept = stream.inbox;
    if (kept === undefined) return;
    stream.inbox = undefined;
    for (let arrival = kept.take(); arrival !== undefined; arrival = kept.take()) {
      if ("section" in arrival) stream.onHeaders(arrival.section, arrival.ended);
      else {
        this.#bytes -= arrival.data.length + PIECE_BYTES;
        stream.onData(arrival.data, 0, arrival.data.length, arrival.ended);
        if (!arrival.ended) this.#windows.credit(stream, arrival.data.length);
      }
      const again = inboxOf(stream);
      if (again === undefined) continue;
      const rest = again.take();
      if (rest !== undefined) kept.putBack(rest);
      stream.inbox = kept;
      return;
    }
  }

  /** Keeps what a stream that was paused in the middle of its payload has not taken: it comes again when the stream goes on. */
  keep(stream: Stream<Section>, buffer: Buffer, start: number, end: number, ended: boolean): void {
    const data = Buffer.from(buffer.subarray(start, end));
    this.#bytes += data.length + PIECE_BYTES;
    stream.inbox?.putBack({ data, ended });
    // Whoever handed it over gives it back to the window, and so will the second time.
    stream.owed -= data.length;
  }

  /** Drops what was kept: nobody will take it. */
  discard(stream: Stream<Section>): void {
    const { inbox } = stream;
    if (inbox === undefined) return;
    stream.inbox = undefined;
    for (let arrival = inbox.take(); arrival !== undefined; arrival = inbox.take()) {
      if ("data" in arrival) this.#bytes -= arrival.data.length + PIECE_BYTES;
    }
  }
}

/** Asked anew: whoever takes a message may pause the stream. */
function inboxOf<Section extends FieldSection>(stream: Stream<Section>): Inbox<Section> | undefined {
  return stream.inbox;
}
