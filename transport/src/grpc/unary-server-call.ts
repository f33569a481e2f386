import { writeBytes, writeFrameHeader } from "../http2/frame-writer.ts";
import { HeaderTemplate } from "../http2/header-template.ts";
import { Flag, FRAME_HEADER_BYTES, Frame } from "../http2/protocol.ts";
import { Metadata } from "../metadata.ts";
import type { UnaryHandler } from "../server.ts";
import { Status } from "../status.ts";
import { statusFields } from "./header-fields.ts";
import { IncomingCall } from "./incoming-call.ts";
import { HELD_TOO_MUCH, PREFIX_BYTES, tooLarge } from "./message-reader.ts";
import { MESSAGE_FRAME_BYTES, putMessage, sendMessage } from "./message-writer.ts";
import type { RequestHead } from "./request-head.ts";
import type { ServerContext } from "./server-connection.ts";

/** A call with one message each way. */
export class UnaryServerCall extends IncomingCall {
  readonly #handler: UnaryHandler;
  #request: Uint8Array | undefined;

  constructor(head: RequestHead, context: ServerContext, handler: UnaryHandler) {
    super(head, context);
    this.#handler = handler;
  }

  /** Nearly every request lies in one frame. */
  override onData(buffer: Buffer, start: number, end: number, ended: boolean): void {
    const length = end - start - PREFIX_BYTES;
    if (ended && length >= 0 && buffer[start] === 0 && this.reader === undefined && this.#request === undefined && !this.answered) {
      if (buffer.readUInt32BE(start + 1) === length) {
        if (length > this.maxMessageBytes) {
          this.fail(Status.RESOURCE_EXHAUSTED, tooLarge(length, this.maxMessageBytes));
          return;
        }
        this.#work(buffer.subarray(start + PREFIX_BYTES, end));
        return;
      }
    }
    super.onData(buffer, start, end, ended);
  }

  onMessage(message: Uint8Array): void {
    if (this.#request !== undefined) this.onUnreadable(Status.UNIMPLEMENTED, "more than one message came to a method that takes one");
    else if (this.remoteEnded) this.#request = message;
    // It waits for the client's end: counted, and without what was read along with it.
    else if (!this.reader?.keep(message)) this.onUnreadable(Status.RESOURCE_EXHAUSTED, HELD_TOO_MUCH);
    else this.#request = message.buffer.byteLength > 2 * message.length ? Buffer.from(message) : message;
  }

  respond(message: Uint8Array, trailers?: Metadata): void {
    if (!this.close(Status.OK) || this.over) return;
    const { server, head } = this;
    const { sender } = server;
    if (trailers === undefined && !this.begun && head.answerEncoding === "identity" && PREFIX_BYTES + message.length <= sender.room(this)) {
      this.#respondWhole(message);
      return;
    }
    if (!this.begun) this.writeHeaders(Metadata.EMPTY);
    sendMessage(sender, this, message, head.answerEncoding, false);
    if (this.over) return;
    sender.headers(this, new HeaderTemplate(statusFields(Status.OK, "", trailers)), true);
  }

  protected begin(): void {}

  protected onEnd(): void {
    if (this.#request === undefined) this.onUnreadable(Status.UNIMPLEMENTED, "no message came to a method that takes one");
    else this.#work(this.#request);
  }

  /** HEADERS, DATA and trailers in one piece. */
  #respondWhole(message: Uint8Array): void {
    const { server } = this;
    const { sender } = server;
    server.busy();
    const headers = server.headers.encode(sender.encoder);
    const trailers = server.trailers.encode(sender.encoder);
    const bytes = 2 * FRAME_HEADER_BYTES + headers.length + MESSAGE_FRAME_BYTES + message.length + trailers.length;
    let at = sender.outbox.reserve(bytes);
    const { buffer } = sender.outbox;
    writeFrameHeader(buffer, at, headers.length, Frame.HEADERS, Flag.END_HEADERS, this.id);
    writeBytes(buffer, at + FRAME_HEADER_BYTES, headers);
    at += FRAME_HEADER_BYTES + headers.length;
    putMessage(buffer, at, this, sender, message, false);
    at += MESSAGE_FRAME_BYTES + message.length;
    writeFrameHeader(buffer, at, trailers.length, Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, this.id);
    writeBytes(buffer, at + FRAME_HEADER_BYTES, trailers);
    server.sentEnd(this);
  }

  #work(request: Uint8Array): void {
    this.server.busy();
    this.reader?.release();
    try {
      this.#handler(request, this);
    } catch (error) {
      this.context.threw(error, this);
    }
  }
}
