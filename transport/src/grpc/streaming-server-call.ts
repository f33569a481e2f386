import { HeaderTemplate } from "../http2/header-template.ts";
import { Metadata } from "../metadata.ts";
import type { ServerReceiver, StreamingHandler } from "../server.ts";
import { Status } from "../status.ts";
import { statusFields } from "./header-fields.ts";
import { IncomingCall } from "./incoming-call.ts";
import { sendMessage } from "./message-writer.ts";
import type { RequestHead } from "./request-head.ts";
import type { ServerContext } from "./server-connection.ts";

/** A call with any number of messages each way. */
export class StreamingServerCall extends IncomingCall {
  readonly #handler: StreamingHandler;
  #receiver: ServerReceiver | undefined;

  constructor(head: RequestHead, context: ServerContext, handler: StreamingHandler) {
    super(head, context);
    this.#handler = handler;
  }

  send(message: Uint8Array): boolean {
    if (this.answered || this.over) return true;
    this.server.busy();
    this.sendHeaders(Metadata.EMPTY);
    sendMessage(this.server.sender, this, message, this.head.answerEncoding, false);
    return this.queue === undefined || this.queue.empty;
  }

  end(trailers?: Metadata): void {
    this.sendHeaders(Metadata.EMPTY);
    if (!this.close(Status.OK) || this.over) return;
    this.server.sender.headers(this, new HeaderTemplate(statusFields(Status.OK, "", trailers)), true);
  }

  pause(): void {
    if (!this.answered) this.server.held.pause(this);
  }

  resume(): void {
    this.server.held.resume(this);
  }

  override onWritable(): void {
    if (!this.answered) this.#told(() => this.#receiver?.drained?.());
  }

  override onClosing(): void {
    if (!this.answered) this.#told(() => this.#receiver?.closing?.());
  }

  onMessage(message: Uint8Array): void {
    this.reader?.release();
    this.server.busy();
    if (!this.answered) this.#told(() => this.#receiver?.message(message));
  }

  protected begin(): void {
    this.#told(() => {
      this.#receiver = this.#handler.open(this);
    });
  }

  protected onEnd(): void {
    this.#told(() => this.#receiver?.end());
  }

  #told(what: () => void): void {
    try {
      what();
    } catch (error) {
      this.context.threw(error, this);
    }
  }
}
