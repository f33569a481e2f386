import { HeaderTemplate } from "../http2/header-template.ts";
import { Stream } from "../http2/stream.ts";
import type { Metadata } from "../metadata.ts";
import { Status } from "../status.ts";
import type { Encoding } from "./compression.ts";
import type { Timed } from "./deadlines.ts";
import { ACCEPT_FIELD, GZIP_FIELD, metadataFields, RESPONSE_FIELDS, statusFields } from "./header-fields.ts";
import { MessageReader, type MessageSink } from "./message-reader.ts";
import type { RequestHead } from "./request-head.ts";
import type { GrpcServerConnection, ServerContext } from "./server-connection.ts";

/** What every call at the server has, whatever its kind. */
export abstract class IncomingCall extends Stream<RequestHead> implements MessageSink, Timed {
  deadline: number | undefined;
  place = -1;
  protected readonly context: ServerContext;
  protected readonly head: RequestHead;
  protected reader: MessageReader | undefined;
  /** The answer's headers are on their way; its status is. */
  protected begun = false;
  protected answered = false;
  #opened = false;
  #cancelled = false;
  #onCancel: (() => void)[] | undefined;

  constructor(head: RequestHead, context: ServerContext) {
    super();
    this.head = head;
    this.context = context;
    if (head.timeoutMs !== undefined) {
      this.deadline = Date.now() + head.timeoutMs;
      context.deadlines.add(this);
    }
  }

  /** The client has sent all it has to say. */
  protected abstract onEnd(): void;
  /** Called once when the request can be worked on. */
  protected abstract begin(): void;
  abstract onMessage(message: Uint8Array): void;

  get path(): string {
    return this.head.path ?? "";
  }

  get metadata(): Metadata {
    return this.head.metadata;
  }

  get maxMessageBytes(): number {
    return this.context.maxMessageBytes;
  }

  get encoding(): Encoding | undefined {
    return this.head.encoding;
  }

  protected get server(): GrpcServerConnection {
    return this.connection as GrpcServerConnection;
  }

  header(name: string): string | undefined {
    return this.head.header(name);
  }

  onCancel(fn: () => void): void {
    if (this.#cancelled) fn();
    else if (!this.answered) {
      this.#onCancel ??= [];
      this.#onCancel.push(fn);
    }
  }

  /** The request's headers, then perhaps trailers, of which gRPC makes no use. */
  override onHeaders(section: RequestHead, ended: boolean): void {
    if (!this.#opened) {
      this.#opened = true;
      this.begin();
    }
    if (!ended) return;
    if (this.inbox === undefined) this.#ended();
    else this.inbox.putBack({ section, ended });
  }

  override onData(buffer: Buffer, start: number, end: number, ended: boolean): void {
    if (!this.answered) {
      this.reader ??= new MessageReader(this);
      const at = this.reader.push(buffer, start, end);
      if (this.paused && (at < end || ended)) {
        this.connection?.held.keep(this, buffer, at, end, ended);
        return;
      }
    }
    if (ended) this.#ended();
  }

  /** Whatever the reason, nobody waits for the answer. */
  override onReset(): void {
    if (this.close(Status.CANCELLED)) this.#cancel();
  }

  onDeadline(): void {
    if (this.answered) return;
    this.onUnreadable(Status.DEADLINE_EXCEEDED, "the deadline has passed");
  }

  onUnreadable(code: Status, details: string): void {
    this.fail(code, details);
    this.#cancel();
  }

  hold(bytes: number): boolean {
    return this.connection?.held.hold(bytes) ?? false;
  }

  sendHeaders(metadata: Metadata): void {
    if (!this.answered && !this.begun && !this.over) this.writeHeaders(metadata);
  }

  protected writeHeaders(metadata: Metadata): void {
    this.begun = true;
    const fields = [...RESPONSE_FIELDS, ...(this.head.answerEncoding === "gzip" ? [GZIP_FIELD] : []), ...metadataFields(metadata)];
    this.server.sender.headers(this, new HeaderTemplate(fields), false);
  }

  fail(code: Status, details: string, trailers?: Metadata): void {
    if (!this.close(code) || this.over) return;
    const fields = statusFields(code, details, trailers);
    // So says the specification of UNIMPLEMENTED: which encodings would have done.
    if (this.head.encoding === undefined) fields.push(ACCEPT_FIELD);
    this.server.sender.headers(this, new HeaderTemplate(this.begun ? fields : [...RESPONSE_FIELDS, ...fields]), true);
  }

  /** Marks the call as answered; false: it was already. */
  protected close(code: Status): boolean {
    if (this.answered) return false;
    this.answered = true;
    if (this.place >= 0) this.context.deadlines.remove(this);
    this.reader?.stop();
    if (this.inbox !== undefined) this.connection?.held.discard(this);
    this.context.onEnd?.(this.path, code);
    return true;
  }

  #cancel(): void {
    this.#cancelled = true;
    const running = this.#onCancel;
    this.#onCancel = undefined;
    for (const fn of running ?? []) fn();
  }

  #ended(): void {
    if (this.answered) return;
    if (this.reader !== undefined && !this.reader.clean) this.onUnreadable(Status.INTERNAL, "the request ends within a message");
    else this.onEnd();
  }
}
