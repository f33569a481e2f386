import type { Socket } from "node:net";
import { Connection } from "./connection.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import type { FieldSection } from "./field-section.ts";
import { ConnectionError, ErrorCode, errorName, MAX_STREAM_ID, PREFACE, Setting } from "./protocol.ts";
import { announceSettings } from "./settings-exchange.ts";
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
  #nextId: number;
  #draining = false;

  /** `firstId` of its streams is odd. After the last id there is, 2^31-1, the connection takes no more of them (section 5.1.1). */
  constructor(socket: Socket, options: ConnectionOptions<Section>, owner: ClientConnectionOwner<Section>, firstId: number) {
    super(socket, options);
    this.#owner = owner;
    this.#nextId = firstId;
    const { limits } = options;
    const { outbox } = this.sender;
    const at = outbox.reserve(PREFACE.length);
    PREFACE.copy(outbox.buffer, at);
    announceSettings(this.sender, limits, [
      [Setting.ENABLE_PUSH, 0],
      [Setting.INITIAL_WINDOW_SIZE, limits.streamWindowBytes],
      [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
    ]);
  }

  /** Whether a stream may be opened now. */
  get hasRoom(): boolean {
    return this.usable && this.streams.size < this.peer.maxConcurrentStreams && !this.sender.full;
  }

  /** Whether streams will be opened here at all, if only later. */
  get usable(): boolean {
    return this.reading && this.settled && !this.#draining;
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

  /** A request that is whole waits for as long as its caller does, and those that would wait behind it are not begun. */
  override stalled(): void {}

  override overflowed(stream: Stream<Section>): void {
    if (!stream.waiting.complete) super.overflowed(stream);
  }

  /** Not from within what is being sent. */
  override roomier(): void {
    process.nextTick(() => this.resettled());
  }

  protected override opened(): undefined {
    throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that was not opened");
  }

  /**
   * An answer has its head, before it perhaps interim ones, and trailers: only who reads them knows which is which. What does not end the stream is
   * bounded here, as it comes, since a stream that is paused keeps it.
   */
  protected override admits(stream: Stream<Section>, section: Section, ended: boolean): boolean {
    if (ended) return true;
    stream.heads += 1;
    const { maxInterimResponses } = this.limits;
    if (stream.heads <= (section.interim ? maxInterimResponses : maxInterimResponses + 1)) return true;
    this.abort(stream, ErrorCode.ENHANCE_YOUR_CALM, `more than ${maxInterimResponses} interim answers`);
    return false;
  }

  protected override received(chunk: Buffer): void {
    this.reader.push(chunk);
  }

  override greeted(): void {
    super.greeted();
    this.#owner.ready(this);
  }

  override resettled(): void {
    if (!this.#draining) this.#owner.roomier(this);
  }

  override wentAway(lastId: number, code: number, reason: string): void {
    this.#drain();
    const why = `the peer goes away (${errorName(code)}${reason && `: ${reason}`})`;
    for (const stream of this.streams.all()) if (stream.id > lastId) this.abort(stream, ErrorCode.CANCEL, why, "unsent");
    this.streamClosed();
  }

  protected override streamClosed(): void {
    if (!this.#draining) this.#owner.roomier(this);
    else if (this.streams.size === 0) this.end("drained");
  }

  protected override closed(reason: string): void {
    this.#owner.closed(this, reason);
  }

  protected override wasReset(): void {}

  override pongReceived(): void {}

  override isIdle(id: number): boolean {
    return id % 2 === 0 || id >= this.#nextId;
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#owner.draining(this);
  }
}
