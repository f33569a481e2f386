import type { Socket } from "node:net";
import { HpackDecoder } from "../hpack/decoder.ts";
import { HpackError } from "../hpack/errors.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { type ControlSide, takeControlFrame } from "./control-frames.ts";
import type { FieldSection } from "./field-section.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { HeaderAssembly } from "./header-assembly.ts";
import { HeldArrivals } from "./held-arrivals.ts";
import { Allowance, type Limits } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import { paddingBytes } from "./padding.ts";
import { checkPriority, PRIORITY_BYTES } from "./priority.ts";
import { ConnectionError, DEFAULT_FRAME_BYTES, ErrorCode, errorName, Flag, Frame } from "./protocol.ts";
import { ReceiveWindows } from "./receive-windows.ts";
import { RecentStreams } from "./recent-streams.ts";
import { Sender, type SendingSide } from "./sender.ts";
import { PeerSettings } from "./settings.ts";
import type { ResetOrigin, Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";
import { Watch } from "./watch.ts";

/** What both ends of an HTTP/2 connection do alike, RFC 9113: what arrives goes to its stream, and a peer that breaks the rules is told how. */
export abstract class Connection<Section extends FieldSection> implements FrameSink, SendingSide<Section>, ControlSide<Section> {
  readonly socket: Socket;
  readonly limits: Limits;
  readonly streams = new StreamTable<Stream<Section>>();
  readonly sender: Sender<Section>;
  readonly held: HeldArrivals<Section>;
  readonly peer = new PeerSettings();
  settled = false;
  pingExcused = true;
  reading = true;
  /** The newest stream that the peer opened. */
  protected lastPeerId = 0;
  protected readonly reader: FrameReader;
  protected readonly recent = new RecentStreams();
  protected readonly idleFrames: Allowance;
  readonly #outbox: Outbox;
  readonly #decoder: HpackDecoder<Section>;
  readonly #windows: ReceiveWindows<Section>;
  readonly #watch: Watch<Section>;
  #assembly: HeaderAssembly | undefined;

  constructor(socket: Socket, options: ConnectionOptions<Section>) {
    this.socket = socket;
    this.limits = options.limits;
    this.idleFrames = new Allowance(this.limits.idleFrames, performance.now());
    this.#outbox = new Outbox(socket, () => this.sender.pump());
    this.sender = new Sender(this.#outbox, this, this.limits);
    this.reader = new FrameReader(this, DEFAULT_FRAME_BYTES);
    this.#decoder = new HpackDecoder({ interpret: options.interpret, maxListBytes: this.limits.maxHeaderListBytes });
    this.#windows = new ReceiveWindows(this.sender, this.limits);
    this.held = new HeldArrivals(this.#windows, this.limits.maxHeldBytes);
    this.#watch = new Watch(this, options);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#over(error.message));
    socket.on("end", () => this.#over("the peer has closed the connection"));
    socket.on("close", () => this.#over("the connection is closed"));
  }

  /** The peer opened a stream: its first header section. Undefined: it was refused. */
  protected abstract opened(id: number, section: Section): Stream<Section> | undefined;
  /** One more header section came on an open stream. False: it has no place there, and the stream was ended. */
  protected abstract admits(stream: Stream<Section>, section: Section, ended: boolean): boolean;
  protected abstract received(chunk: Buffer): void;
  /** A stream is over. */
  protected abstract streamClosed(): void;
  protected abstract closed(reason: string): void;
  protected abstract wasReset(): void;
  abstract resettled(): void;
  abstract pongReceived(payload: Buffer): void;
  abstract wentAway(lastId: number, code: number, reason: string): void;
  abstract isIdle(id: number): boolean;
  abstract sentEnd(stream: Stream<Section>): void;
  /** All that the stream has to send is there, and the peer has taken none of it for `stalledMs`. */
  abstract stalled(stream: Stream<Section>): void;

  #read(chunk: Buffer): void {
    this.#watch.heard();
    if (!this.reading) return;
    try {
      this.received(chunk);
    } catch (error) {
      if (error instanceof ConnectionError) this.fail(error.code, error.message);
      else if (error instanceof HpackError) this.fail(ErrorCode.COMPRESSION_ERROR, error.message);
      else throw error;
    }
    if (this.#outbox.unread > this.limits.maxUnreadBytes) {
      this.#over(`the peer leaves more than ${this.limits.maxUnreadBytes} bytes unread`);
      this.socket.destroy();
    }
  }

  frame(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (this.#assembly !== undefined && (type !== Frame.CONTINUATION || id !== this.#assembly.streamId)) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a frame between the parts of a header block");
    }
    if (!this.settled && type !== Frame.SETTINGS) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    switch (type) {
      case Frame.DATA:
        this.#data(flags, id, buffer, start, end);
        return;
      case Frame.HEADERS:
        this.#headers(flags, id, buffer, start, end);
        return;
      case Frame.CONTINUATION:
        this.#continuation(flags, buffer, start, end);
        return;
      case Frame.RST_STREAM:
        this.#rstStream(id, buffer, start, end);
        return;
      default:
        takeControlFrame(this, type, flags, id, buffer, start, end);
    }
  }

  #data(flags: number, id: number, buffer: Buffer, from: number, to: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "DATA on stream 0");
    const bytes = to - from;
    this.#windows.arrived(bytes);
    const stream = this.streams.get(id);
    let start = from;
    let end = to;
    if ((flags & Flag.PADDED) !== 0) {
      end -= paddingBytes(buffer, start, end);
      start += 1;
    }
    if (stream === undefined || stream.remoteEnded) {
      this.#dataOnClosed(id, stream);
      return;
    }
    const ended = (flags & Flag.END_STREAM) !== 0;
    if (start === end && !ended) this.countIdle("empty DATA frames");
    stream.receiveWindow -= bytes;
    if (stream.receiveWindow < 0) {
      this.fault(stream, ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the stream's window allows");
      return;
    }
    if (stream.expected >= 0 && !stream.fits(end - start, ended)) {
      this.fault(stream, ErrorCode.PROTOCOL_ERROR, "the field content-length is not what came");
      return;
    }
    if (ended) stream.remoteEnded = true;
    if (stream.inbox !== undefined) {
      if (!this.held.push(stream.inbox, buffer, start, end, ended)) {
        this.fault(stream, ErrorCode.ENHANCE_YOUR_CALM, `more than ${this.limits.maxHeldBytes} bytes are held`);
        return;
      }
      // Padding is not held.
      if (bytes > end - start) this.#windows.credit(stream, bytes - (end - start));
    } else {
      stream.onData(buffer, start, end, ended);
      if (!ended) this.#windows.credit(stream, bytes);
    }
    if (ended && stream.localEnded && !stream.over) this.finished(stream);
  }

  #dataOnClosed(id: number, stream: Stream<Section> | undefined): void {
    if (stream !== undefined) {
      this.fault(stream, ErrorCode.STREAM_CLOSED, "DATA after END_STREAM");
      return;
    }
    if (this.isIdle(id)) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "DATA on a stream that was not opened");
    // Sent before the peer saw that we have reset it (section 5.4.2).
    if (this.recent.isReset(id)) return;
    this.countIdle("frames on closed streams");
    this.sender.number(Frame.RST_STREAM, id, ErrorCode.STREAM_CLOSED);
  }

  #headers(flags: number, id: number, buffer: Buffer, from: number, to: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "HEADERS on stream 0");
    let start = from;
    let end = to;
    if ((flags & Flag.PADDED) !== 0) {
      end -= paddingBytes(buffer, start, end);
      start += 1;
    }
    if ((flags & Flag.PRIORITY) !== 0) {
      checkPriority(id, buffer, start, end);
      start += PRIORITY_BYTES;
    }
    const ended = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) {
      this.#section(id, this.#decoder.decode(buffer, start, end), ended);
      return;
    }
    this.#assembly = new HeaderAssembly(id, ended, 2 * this.limits.maxHeaderListBytes);
    this.#assembly.add(buffer, start, end);
  }

  #continuation(flags: number, buffer: Buffer, start: number, end: number): void {
    const assembly = this.#assembly;
    if (assembly === undefined) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS");
    if (start === end) this.countIdle("empty CONTINUATION frames");
    assembly.add(buffer, start, end);
    if ((flags & Flag.END_HEADERS) === 0) return;
    this.#assembly = undefined;
    const block = assembly.block();
    this.#section(assembly.streamId, this.#decoder.decode(block, 0, block.length), assembly.ended);
  }

  #section(id: number, section: Section, ended: boolean): void {
    const known = this.streams.get(id);
    if (known === undefined) {
      if (!this.isIdle(id)) {
        this.recent.lateHeaders(id);
        return;
      }
      const stream = this.opened(id, section);
      if (stream === undefined) return;
      stream.expected = section.contentLength;
      this.#handOver(stream, section, ended);
    } else if (known.remoteEnded) this.fault(known, ErrorCode.STREAM_CLOSED, "HEADERS after END_STREAM");
    else if (this.admits(known, section, ended)) this.#handOver(known, section, ended);
  }

  #handOver(stream: Stream<Section>, section: Section, ended: boolean): void {
    if (ended && stream.expected > 0) {
      this.fault(stream, ErrorCode.PROTOCOL_ERROR, "the field content-length is not what came");
      return;
    }
    if (ended) stream.remoteEnded = true;
    if (stream.inbox === undefined) stream.onHeaders(section, ended);
    else stream.inbox.push({ section, ended });
    if (ended && stream.localEnded && !stream.over) this.finished(stream);
  }

  #rstStream(id: number, buffer: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "the length of RST_STREAM is not 4");
    if (id === 0 || this.isIdle(id)) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on a stream that was not opened");
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (!this.recent.lateReset()) this.countIdle("frames on closed streams");
      return;
    }
    this.recent.wasReset(id);
    this.#forget(stream);
    const code = buffer.readUInt32BE(start);
    stream.onReset(code, code === ErrorCode.REFUSED_STREAM ? "unsent" : "peer", `the peer has reset the stream (${errorName(code)})`);
    this.wasReset();
  }

  /** Ends one stream with RST_STREAM. Its `onReset` is not called: the caller knows. */
  reset(stream: Stream<Section>, code: ErrorCode): void {
    if (stream.over) return;
    this.sender.number(Frame.RST_STREAM, stream.id, code);
    this.recent.reset(stream.id, this.streams.size);
    this.#forget(stream);
  }

  /** The same, on behalf of the connection: the stream is told. */
  abort(stream: Stream<Section>, code: ErrorCode, reason: string, origin: ResetOrigin = "local"): void {
    if (stream.over) return;
    this.reset(stream, code);
    stream.onReset(code, origin, reason);
  }

  /** To provoke a reset is as cheap as to send one, and counts as one. */
  fault(stream: Stream<Section>, code: ErrorCode, reason: string): void {
    this.abort(stream, code, reason);
    this.wasReset();
  }

  overflowed(stream: Stream<Section>): void {
    this.abort(stream, ErrorCode.ENHANCE_YOUR_CALM, `more than ${this.limits.maxQueuedBytes} bytes wait for the peer's window`);
  }

  roomier(): void {}

  /** Both sides have ended the stream. */
  protected finished(stream: Stream<Section>): void {
    this.recent.finished(stream.id);
    this.#forget(stream);
  }

  #forget(stream: Stream<Section>): void {
    stream.over = true;
    this.streams.delete(stream.id);
    this.sender.forget(stream);
    this.streamClosed();
  }

  greeted(): void {
    this.#watch.settled();
  }

  /** Something of a call was sent or taken. */
  busy(): void {
    this.pingExcused = true;
  }

  countIdle(what: string): void {
    if (!this.idleFrames.take(performance.now())) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `too many ${what}`);
  }

  /** Ends the connection with GOAWAY. */
  fail(code: ErrorCode, reason: string): void {
    if (!this.reading) return;
    this.sender.goAway(this.lastPeerId, code, reason);
    this.end(reason);
  }

  /** Ends the connection once all that was written is sent. Streams that still run are lost. */
  end(reason: string): void {
    if (!this.reading) return;
    this.#outbox.flush();
    this.#over(reason);
  }

  /** The connection is no more: each stream is told, then its owner. */
  #over(reason: string): void {
    if (!this.reading) return;
    this.reading = false;
    this.#watch.stop();
    this.#outbox.close();
    for (const stream of this.streams.all()) {
      stream.over = true;
      this.streams.delete(stream.id);
      this.sender.forget(stream);
      stream.onReset(ErrorCode.INTERNAL_ERROR, "connection", reason);
    }
    this.closed(reason);
  }
}
