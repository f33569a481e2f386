import type { FieldSection } from "./field-section.ts";
import type { Limits } from "./limits.ts";
import { ConnectionError, ErrorCode, Frame } from "./protocol.ts";
import type { Sender } from "./sender.ts";
import type { Stream } from "./stream.ts";

/**
 * What the peer may still send, RFC 9113 section 5.2: on the whole connection, counted here, and on each stream, counted in `receiveWindow` and
 * `owed` of the stream. Nothing is given back byte by byte: a WINDOW_UPDATE goes out when half of a window is owed.
 */
export class ReceiveWindows<Section extends FieldSection> {
  readonly #sender: Sender<Section>;
  readonly #connectionBytes: number;
  readonly #streamBytes: number;
  #left: number;
  #owed = 0;

  constructor(sender: Sender<Section>, limits: Limits) {
    this.#sender = sender;
    this.#connectionBytes = limits.connectionWindowBytes;
    this.#streamBytes = limits.streamWindowBytes;
    this.#left = limits.connectionWindowBytes;
  }

  /**
   * So many bytes of DATA came, padding included (section 6.9.1). The connection's window is renewed at once, whoever takes them: what holds a
   * peer back are the windows of its streams. Throws a ConnectionError (FLOW_CONTROL_ERROR) when they are too many.
   */
  arrived(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window allows");
    this.#owed += bytes;
    if (this.#owed * 2 < this.#connectionBytes) return;
    this.#left += this.#owed;
    this.#sender.number(Frame.WINDOW_UPDATE, 0, this.#owed);
    this.#owed = 0;
  }

  /** So many bytes of a stream were taken: the peer may send as many more, unless it has sent its last. */
  credit(stream: Stream<Section>, bytes: number): void {
    stream.owed += bytes;
    if (stream.owed * 2 < this.#streamBytes || stream.remoteEnded || stream.over) return;
    stream.receiveWindow += stream.owed;
    this.#sender.number(Frame.WINDOW_UPDATE, stream.id, stream.owed);
    stream.owed = 0;
  }
}
