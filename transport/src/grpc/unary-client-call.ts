import type { Call, CallOptions, ResponseMetadata, UnaryReceiver } from "../client.ts";
import type { ClientConnection } from "../http2/client-connection.ts";
import { Metadata } from "../metadata.ts";
import { RpcError, Status } from "../status.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { HELD_TOO_MUCH, PREFIX_BYTES, tooLarge } from "./message-reader.ts";
import { MESSAGE_FRAME_BYTES, putMessage, sendMessage } from "./message-writer.ts";
import { OutgoingCall } from "./outgoing-call.ts";
import type { ResponseHead } from "./response-head.ts";

/** A call with one message each way. */
export class UnaryClientCall extends OutgoingCall implements Call, ResponseMetadata {
  readonly #request: Uint8Array;
  readonly #receiver: UnaryReceiver;
  #response: Uint8Array | undefined;
  #trailers: ResponseHead | undefined;

  constructor(client: GrpcClient, path: string, request: Uint8Array, receiver: UnaryReceiver, options: CallOptions) {
    super(client, path, options);
    this.#request = request;
    this.#receiver = receiver;
  }

  get headers(): Metadata {
    return this.head?.metadata ?? Metadata.EMPTY;
  }

  get trailers(): Metadata {
    return this.#trailers?.metadata ?? Metadata.EMPTY;
  }

  start(connection: ClientConnection<ResponseHead>): void {
    connection.open(this);
    connection.busy();
    const { sender } = connection;
    const request = this.#request;
    if (this.isPlain && PREFIX_BYTES + request.length <= sender.room(this)) {
      const at = this.putHeaders(connection, 0, MESSAGE_FRAME_BYTES + request.length);
      putMessage(sender.outbox.buffer, at, this, sender, request, true);
      connection.sentEnd(this);
    } else {
      this.sendHeaders(connection);
      sendMessage(sender, this, request, this.requestEncoding, true);
    }
  }

  /** Nearly every answer lies in one frame. */
  override onData(buffer: Buffer, start: number, end: number, ended: boolean): void {
    const length = end - start - PREFIX_BYTES;
    if (
      !ended &&
      length >= 0 &&
      buffer[start] === 0 &&
      this.reader === undefined &&
      this.#response === undefined &&
      this.head !== undefined
    ) {
      if (buffer.readUInt32BE(start + 1) === length && !this.ended) {
        if (length > this.maxMessageBytes) {
          this.onUnreadable(Status.RESOURCE_EXHAUSTED, tooLarge(length, this.maxMessageBytes));
          return;
        }
        this.#response = buffer.subarray(start + PREFIX_BYTES, end);
        return;
      }
    }
    super.onData(buffer, start, end, ended);
  }

  onMessage(message: Uint8Array): void {
    if (this.#response === undefined) {
      if (this.reader?.keep(message)) this.#response = message;
      else this.onUnreadable(Status.RESOURCE_EXHAUSTED, HELD_TOO_MUCH);
    } else this.onUnreadable(Status.INTERNAL, "more than one message came where one was to come");
  }

  protected get canRetry(): boolean {
    return this.head === undefined;
  }

  protected succeeded(trailers: ResponseHead): void {
    if (this.#response === undefined) {
      this.failed(new RpcError(Status.INTERNAL, "the answer is OK, but there is no message", "peer"));
      return;
    }
    this.#trailers = trailers;
    this.#receiver.response(this.#response, this);
  }

  protected failed(error: RpcError): void {
    this.#receiver.failed(error);
  }
}
