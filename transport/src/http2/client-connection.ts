import type { Socket } from "node:net";
import { Connection, type ConnectionOptions } from "./connection.ts";
import type { FieldSection } from "./field-section.ts";
import { ConnectionError, DEFAULT_WINDOW, ErrorCode, errorName, Frame, MAX_STREAM_ID, PREFACE, Setting } from "./protocol.ts";
import { settingsFrame } from "./settings.ts";
import type { Stream } from "./stream.ts";

/** Whoever keeps a client's connections. */
export interface ClientConnectionOwner<Section extends FieldSection> {
  /** The peer has spoken HTTP/2: calls go through. */
  ready(connection: ClientConnection<Section>): void;
  /** No new streams; those that run go on. */
  draining(connection: ClientConnection<Section>): void;
  /** There is room for one more stream. */
  roomier(connection: ClientConnection<Section>): void;
  closed(connection: ClientConnection<Section>, reason: string): void;
}

/** The client's end of a connection. */
export class ClientConnection<Section extends FieldSection> extends Connection<Section> {
  readonly #owner: ClientConnectionOwner<Section>;
  #nextId = 1;
  #draining = false;
  #settled = false;

  constructor(socket: Socket, options: ConnectionOptions<Section>, owner: ClientConnectionOwner<Section>) {
    super(socket, options);
    this.#owner = owner;
    const { limits } = options;
    const settings = settingsFrame([
      [Setting.ENABLE_PUSH, 0],
      [Setting.INITIAL_WINDOW_SIZE, limits.streamWindowBytes],
      [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
    ]);
    const { outbox } = this.sender;
    const at = outbox.reserve(PREFACE.length + settings.length);
    PREFACE.copy(outbox.buffer, at);
    settings.copy(outbox.buffer, at + PREFACE.length);
    if (limits.connectionWindowBytes > DEFAULT_WINDOW)
      this.sender.number(Frame.WINDOW_UPDATE, 0, limits.connectionWindowBytes - DEFAULT_WINDOW);
  }

  /** Whether a stream may be opened now. */
  get hasRoom(): boolean {
    return this.usable && this.streams.size < this.peer.maxConcurrentStreams;
  }

  /** Whether streams will be opened here at all, if only later. */
  get usable(): boolean {
    return this.reading && this.#settled && !this.#draining;
  }

  /** Gives the stream its number. Its HEADERS must be the next that is sent. */
  open(stream: Stream<Section>): void {
    stream.id = this.#nextId;
    this.#nextId += 2;
    stream.connection = this;
    stream.sendWindow = this.peer.initialWindow;
    stream.receiveWindow = this.limits.streamWindowBytes;
    this.streams.add(stream);
    if (this.#nextId > MAX_STREAM_ID) this.#drain();
  }

  sentEnd(stream: Stream<Section>): void {
    stream.localEnded = true;
    if (stream.remoteEnded) this.finished(stream);
  }

  protected override opened(): undefined {
    throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that was not opened");
  }

  /** An answer may have several: only who reads it knows which is the last. */
  protected override laterFault(): undefined {}

  protected override received(chunk: Buffer): void {
    this.reader.push(chunk);
  }

  protected override settled(): void {
    this.#settled = true;
    this.#owner.ready(this);
  }

  protected override resettled(): void {
    if (!this.#draining) this.#owner.roomier(this);
  }

  protected override wentAway(lastId: number, code: number, reason: string): void {
    this.#drain();
    const why = `the peer goes away (${errorName(code)}${reason && `: ${reason}`})`;
    for (const stream of this.streams.all()) if (stream.id > lastId) this.abort(stream, ErrorCode.CANCEL, why, "unsent");
    this.streamClosed();
  }

  protected override streamClosed(): void {
    if (!this.#draining) this.#owner.roomier(this);
    else if (this.streams.size === 0) this.end("the peer went away");
  }

  protected override closed(reason: string): void {
    this.#owner.closed(this, reason);
  }

  protected override wasReset(): void {}

  protected override pongReceived(): void {}

  protected override isIdle(id: number): boolean {
    return id % 2 === 0 || id >= this.#nextId;
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#owner.draining(this);
  }
}
