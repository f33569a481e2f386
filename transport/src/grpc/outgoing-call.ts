import type { CallOptions } from "../client.ts";
import type { ClientConnection } from "../http2/client-connection.ts";
import { writeBytes, writeFrameHeader } from "../http2/frame-writer.ts";
import { HeaderTemplate } from "../http2/header-template.ts";
import { DEFAULT_FRAME_BYTES, ErrorCode, Flag, FRAME_HEADER_BYTES, Frame } from "../http2/protocol.ts";
import { type ResetOrigin, Stream } from "../http2/stream.ts";
import { RpcError, Status } from "../status.ts";
import type { Encoding } from "./compression.ts";
import type { Timed } from "./deadlines.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { GZIP_FIELD, metadataFields } from "./header-fields.ts";
import { MessageReader, type MessageSink } from "./message-reader.ts";
import type { ResponseHead } from "./response-head.ts";
import { formatTimeout } from "./timeout.ts";

/** gRPC's "Errors" section of its HTTP/2 protocol: what RST_STREAM means. */
const RESET_STATUS: Readonly<Record<number, Status>> = {
  [ErrorCode.REFUSED_STREAM]: Status.UNAVAILABLE,
  [ErrorCode.CANCEL]: Status.CANCELLED,
  [ErrorCode.ENHANCE_YOUR_CALM]: Status.RESOURCE_EXHAUSTED,
  [ErrorCode.INADEQUATE_SECURITY]: Status.PERMISSION_DENIED,
};

const TOO_LARGE = "the answer's header fields are too large";

/** `grpc-timeout` as a literal that is not indexed (RFC 7541 section 6.2.2): it is another one in nearly every call. */
const TIMEOUT_NAME = Buffer.concat([Buffer.from([0x00, "grpc-timeout".length]), Buffer.from("grpc-timeout")]);

/** A path up to this long leaves at least half of a frame to the other fields, which take a few hundred bytes. */
const PLAIN_PATH_BYTES = DEFAULT_FRAME_BYTES / 2;

/** What every call of a client has, whatever its kind. */
export abstract class OutgoingCall extends Stream<ResponseHead> implements MessageSink, Timed {
  readonly path: string;
  readonly options: CallOptions;
  deadline: number | undefined;
  place = -1;
  protected readonly client: GrpcClient;
  protected reader: MessageReader | undefined;
  protected head: ResponseHead | undefined;
  protected ended = false;
  /** A server did not work on it, and it was sent once more. */
  #retried = false;

  constructor(client: GrpcClient, path: string, options: CallOptions) {
    super();
    this.client = client;
    this.path = path;
    this.options = options;
    this.deadline = options.deadline;
  }

  /** Sends what there is: the connection is there. */
  abstract start(connection: ClientConnection<ResponseHead>): void;
  abstract onMessage(message: Uint8Array): void;
  protected headersCame(_head: ResponseHead): void {}
  protected abstract succeeded(trailers: ResponseHead): void;
  protected abstract failed(error: RpcError): void;
  /** Whether all that was sent is still there, to be sent once more. */
  protected abstract get canRetry(): boolean;

  get maxMessageBytes(): number {
    return this.client.maxMessageBytes;
  }

  get encoding(): Encoding | undefined {
    return this.head?.encoding;
  }

  protected get requestEncoding(): Encoding {
    return this.options.compression ?? "identity";
  }

  cancel(): void {
    this.abandon(new RpcError(Status.CANCELLED, "the call was cancelled", "connection"));
  }

  onDeadline(): void {
    this.abandon(new RpcError(Status.DEADLINE_EXCEEDED, "the deadline has passed", "connection"));
  }

  onUnreadable(code: Status, details: string): void {
    this.abandon(new RpcError(code, details, "peer"));
  }

  hold(bytes: number): boolean {
    return this.connection?.held.hold(bytes) ?? false;
  }

  /** Ends the call with an error, unless it is over. */
  abandon(error: RpcError): void {
    if (!this.#close()) return;
    this.connection?.reset(this, ErrorCode.CANCEL);
    this.failed(error);
  }

  override onHeaders(section: ResponseHead, ended: boolean): void {
    if (this.ended) return;
    if (this.head === undefined) {
      const fault = section.responseFault;
      if (fault !== undefined) {
        this.#malformed(fault);
        return;
      }
      if (section.interim) {
        if (ended) this.#malformed("an interim answer ends the stream");
        return;
      }
      this.head = section;
      if (ended) {
        this.#finish(section);
        return;
      }
      if (section.tooLarge) {
        this.onUnreadable(Status.RESOURCE_EXHAUSTED, TOO_LARGE);
        return;
      }
      if (!section.isGrpc || section.status !== "200") {
        this.#notGrpc(section);
        return;
      }
      this.headersCame(section);
    } else if (section.trailersFault !== undefined) this.#malformed(section.trailersFault);
    else if (!ended) this.#malformed("a header section between messages");
    else this.#finish(section);
  }

  override onData(buffer: Buffer, start: number, end: number, ended: boolean): void {
    if (this.ended) return;
    if (this.head === undefined) {
      this.#malformed("DATA before HEADERS");
      return;
    }
    this.reader ??= new MessageReader(this);
    const at = this.reader.push(buffer, start, end);
    if (this.paused && (at < end || ended)) {
      this.connection?.held.keep(this, buffer, at, end, ended);
      return;
    }
    if (ended) this.onUnreadable(Status.INTERNAL, "the answer ends without a status");
  }

  override onReset(code: number, origin: ResetOrigin, reason: string): void {
    if (this.ended) return;
    // The answer is whole, and waits here until it is taken.
    if (this.paused && this.remoteEnded && (origin === "connection" || code === ErrorCode.NO_ERROR)) return;
    if (origin === "unsent" && !this.#retried && this.canRetry) {
      this.#retry();
      return;
    }
    if (!this.#close()) return;
    const lost = origin === "connection" || origin === "unsent";
    // The server's clock may strike first.
    const late = code === ErrorCode.CANCEL && this.deadline !== undefined && this.deadline <= Date.now();
    const status = lost
      ? Status.UNAVAILABLE
      : late
        ? Status.DEADLINE_EXCEEDED
        : origin === "local" && code === ErrorCode.ENHANCE_YOUR_CALM
          ? Status.RESOURCE_EXHAUSTED
          : (RESET_STATUS[code] ?? Status.INTERNAL);
    this.failed(new RpcError(status, reason, origin === "unsent" ? "unsent" : "connection"));
  }

  /** Writes a plain header section, in one piece with `rest` more bytes; returns where those begin. */
  protected putHeaders(connection: ClientConnection<ResponseHead>, flags: number, rest: number): number {
    const { sender } = connection;
    const block = this.client.templateOf(connection, this.path).encode(sender.encoder);
    const timeout = this.deadline === undefined ? "" : formatTimeout(this.deadline - Date.now());
    const timeoutBytes = timeout === "" ? 0 : TIMEOUT_NAME.length + 1 + timeout.length;
    const length = block.length + timeoutBytes;
    const at = sender.outbox.reserve(FRAME_HEADER_BYTES + length + rest);
    const { buffer } = sender.outbox;
    writeFrameHeader(buffer, at, length, Frame.HEADERS, flags | Flag.END_HEADERS, this.id);
    let to = at + FRAME_HEADER_BYTES;
    writeBytes(buffer, to, block);
    to += block.length;
    if (timeoutBytes > 0) {
      writeBytes(buffer, to, TIMEOUT_NAME);
      to += TIMEOUT_NAME.length;
      buffer[to++] = timeout.length;
      for (let index = 0; index < timeout.length; index++) buffer[to++] = timeout.charCodeAt(index);
    }
    return to;
  }

  /** Whether the header section is the method's own, with nothing but a timeout added, and fits into one frame. */
  protected get isPlain(): boolean {
    return this.options.metadata === undefined && this.requestEncoding === "identity" && this.path.length <= PLAIN_PATH_BYTES;
  }

  /** Any header section. */
  protected sendHeaders(connection: ClientConnection<ResponseHead>): void {
    const fields = [...this.client.fieldsOf(this.path)];
    if (this.requestEncoding === "gzip") fields.push(GZIP_FIELD);
    if (this.deadline !== undefined) fields.push(["grpc-timeout", formatTimeout(this.deadline - Date.now()), "plain"]);
    if (this.options.metadata !== undefined) fields.push(...metadataFields(this.options.metadata));
    connection.sender.headers(this, new HeaderTemplate(fields), false);
  }

  #retry(): void {
    this.#retried = true;
    this.connection = undefined;
    this.over = false;
    this.localEnded = false;
    this.remoteEnded = false;
    this.owed = 0;
    this.heads = 0;
    this.expected = -1;
    this.client.submit(this);
  }

  #finish(section: ResponseHead): void {
    if (section.tooLarge && !section.grpcStatus) {
      this.onUnreadable(Status.RESOURCE_EXHAUSTED, TOO_LARGE);
      return;
    }
    const status = section.grpcStatus ?? (section.status === undefined ? Status.UNKNOWN : section.statusOfHttp);
    if (status === Status.OK && this.reader !== undefined && !this.reader.clean) {
      this.onUnreadable(Status.INTERNAL, "the answer ends within a message");
      return;
    }
    if (!this.#close()) return;
    // The server has answered; what it does not want to hear any more need not be said.
    if (!this.localEnded) this.connection?.reset(this, ErrorCode.CANCEL);
    if (status === Status.OK) {
      this.succeeded(section);
      return;
    }
    const details =
      section.grpcStatus === undefined && section.details === ""
        ? `the server answered ${section.status ?? "nothing"} without a status`
        : section.details || (section.tooLarge ? TOO_LARGE : "");
    this.failed(new RpcError(status, details, "peer", section.metadata));
  }

  #notGrpc(section: ResponseHead): void {
    this.onUnreadable(section.statusOfHttp, `the server does not speak gRPC: it answered with HTTP status ${section.status}`);
  }

  #malformed(fault: string): void {
    if (!this.#close()) return;
    this.connection?.reset(this, ErrorCode.PROTOCOL_ERROR);
    this.failed(new RpcError(Status.INTERNAL, `the server breaks the rules of HTTP/2: ${fault}`, "peer"));
  }

  #close(): boolean {
    if (this.ended) return false;
    this.ended = true;
    if (this.place >= 0) this.client.deadlines.remove(this);
    this.client.withdraw(this);
    this.reader?.stop();
    if (this.inbox !== undefined) this.connection?.held.discard(this);
    return true;
  }
}
