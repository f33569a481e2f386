import type { CallOptions, ClientStream, StreamReceiver } from "../client.ts";
import type { ClientConnection } from "../http2/client-connection.ts";
import type { Connection } from "../http2/connection.ts";
import type { RpcError } from "../status.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { sendMessage } from "./message-writer.ts";
import { OutgoingCall } from "./outgoing-call.ts";
import type { ResponseHead } from "./response-head.ts";

/** A call with any number of messages each way. */
export class StreamingClientCall extends OutgoingCall implements ClientStream {
  readonly #receiver: StreamReceiver;
  /** Said before there was a connection. */
  #early: Uint8Array[] | undefined = [];
  #halfClosed = false;
  #paused = false;

  constructor(client: GrpcClient, path: string, receiver: StreamReceiver, options: CallOptions) {
    super(client, path, options);
    this.#receiver = receiver;
  }

  start(connection: ClientConnection<ResponseHead>): void {
    connection.open(this);
    if (this.isPlain) this.putHeaders(connection, 0, 0);
    else this.sendHeaders(connection);
    if (this.#paused) connection.held.pause(this);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const message of early) this.#write(connection, message);
    if (this.#halfClosed) this.#sendEnd();
    else if (early.length > 0 && (this.queue === undefined || this.queue.empty)) this.onWritable();
  }

  send(message: Uint8Array): boolean {
    if (this.ended || this.over || this.#halfClosed) return true;
    if (this.#early !== undefined) {
      this.#early.push(message);
      return false;
    }
    const { connection } = this;
    if (connection === undefined) return true;
    this.#write(connection, message);
    return this.queue === undefined || this.queue.empty;
  }

  end(): void {
    if (this.#halfClosed) return;
    this.#halfClosed = true;
    if (this.#early === undefined && !this.ended) this.#sendEnd();
  }

  pause(): void {
    this.#paused = true;
    if (!this.ended) this.connection?.held.pause(this);
  }

  resume(): void {
    this.#paused = false;
    this.connection?.held.resume(this);
  }

  override onWritable(): void {
    if (!this.ended && !this.#halfClosed) this.#receiver.drained?.();
  }

  onMessage(message: Uint8Array): void {
    this.reader?.release();
    if (!this.ended) this.#receiver.message(message);
  }

  /** What was sent is not kept. */
  protected get canRetry(): boolean {
    return false;
  }

  protected override headersCame(head: ResponseHead): void {
    this.#receiver.headers?.(head.metadata);
  }

  protected succeeded(trailers: ResponseHead): void {
    this.#receiver.ended(trailers.metadata);
  }

  protected failed(error: RpcError): void {
    this.#receiver.failed(error);
  }

  #write(connection: Connection<ResponseHead>, message: Uint8Array): void {
    if (this.over) return;
    connection.busy();
    sendMessage(connection.sender, this, message, this.requestEncoding, false);
  }

  #sendEnd(): void {
    if (!this.over) this.connection?.sender.data(this, NOTHING, NOTHING, true);
  }
}

const NOTHING = new Uint8Array();
