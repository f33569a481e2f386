import type { Socket } from "node:net";
import { HpackDecoder } from "../hpack/decoder.ts";
import { HpackError } from "../hpack/errors.ts";
import type { FieldSection } from "./field-section.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { HeaderAssembly } from "./header-assembly.ts";
import { Inbox } from "./inbox.ts";
import { Allowance, type Limits } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import { ConnectionError, DEFAULT_FRAME_BYTES, ErrorCode, errorName, Flag, Frame, MAX_WINDOW } from "./protocol.ts";
import { RecentStreams } from "./recent-streams.ts";
import { Sender, type SendingSide } from "./sender.ts";
import { PeerSettings } from "./settings.ts";
import type { ResetOrigin, Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";
import { Watch } from "./watch.ts";

export interface ConnectionOptions<Section extends FieldSection> {
  readonly limits: Limits;
  readonly interpret: (fields: readonly string[], tooLarge: boolean) => Section;
  /** After this much silence the peer is pinged. Milliseconds; 0: never. */
  readonly keepaliveMs: number;
  /** How long it may then stay silent. Milliseconds. */
  readonly keepaliveTimeoutMs: number;
}

/** How long a connection that has failed may take to be closed by the peer: it shall still read why. */
const LINGER_MS = 1_000;
const NO_BYTES = new Uint8Array();
/** What a piece of payload takes beside its bytes while it is kept: it may have come one byte at a time. */
const KEPT_BYTES = 256;

/** What both ends of an HTTP/2 connection do alike, RFC 9113: what arrives goes to its stream, and a peer that breaks the rules is told how. */
export abstract class Connection<Section extends FieldSection> implements FrameSink, SendingSide<Section> {
  readonly socket: Socket;
  readonly limits: Limits;
  readonly streams = new StreamTable<Stream<Section>>();
  readonly sender: Sender<Section>;
  readonly peer = new PeerSettings();
  reading = true;
  /** The newest stream that the peer opened. */
  protected lastPeerId = 0;
  protected readonly reader: FrameReader;
  protected readonly recent = new RecentStreams();
  protected readonly idleFrames: Allowance;
  readonly #outbox: Outbox;
  readonly #decoder: HpackDecoder<Section>;
  readonly #watch: Watch<Section>;
  #assembly: HeaderAssembly | undefined;
  #receiveWindow: number;
  #owed = 0;
  #held = 0;
  #settled = false;
  /** Something was sent since the last PING: then that one was not idle. */
  #pingExcused = true;

  constructor(socket: Socket, options: ConnectionOptions<Section>) {
    this.socket = socket;
    this.limits = options.limits;
    this.idleFrames = new Allowance(this.limits.idleFrames, performance.now());
    this.#outbox = new Outbox(socket, () => this.sender.pump());
    this.sender = new Sender(this.#outbox, this, this.limits);
    this.reader = new FrameReader(this, DEFAULT_FRAME_BYTES);
    this.#decoder = new HpackDecoder({ interpret: options.interpret, maxListBytes: this.limits.maxHeaderListBytes });
    this.#receiveWindow = this.limits.connectionWindowBytes;
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
  /** What is wrong with a header section that is not the first of its stream; undefined: nothing that can be told here. */
  protected abstract laterFault(section: Section, ended: boolean): string | undefined;
  protected abstract received(chunk: Buffer): void;
  protected abstract settled(): void;
  /** The peer's settings are others than before. */
  protected abstract resettled(): void;
  protected abstract wentAway(lastId: number, code: number, reason: string): void;
  protected abstract pongReceived(payload: Buffer): void;
  /** A stream is over. */
  protected abstract streamClosed(): void;
  protected abstract closed(reason: string): void;
  protected abstract wasReset(): void;
  /** Whether a stream with this id was never opened, by either side (section 5.1.1). */
  protected abstract isIdle(id: number): boolean;
  abstract sentEnd(stream: Stream<Section>): void;

  get alive(): boolean {
    return this.reading;
  }

  frame(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (this.#assembly !== undefined && (type !== Frame.CONTINUATION || id !== this.#assembly.streamId)) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a frame between the parts of a header block");
    }
    if (!this.#settled && type !== Frame.SETTINGS) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    switch (type) {
      case Frame.DATA:
        this.#data(flags, id, buffer, start, end);
        return;
      case Frame.HEADERS:
        this.#headers(flags, id, buffer, start, end);
        return;
      case Frame.PRIORITY:
        this.#priority(id, buffer, start, end);
        return;
      case Frame.RST_STREAM:
        this.#rstStream(id, buffer, start, end);
        return;
      case Frame.SETTINGS:
        this.#settings(flags, id, buffer, start, end);
        return;
      case Frame.PUSH_PROMISE:
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE is not allowed");
      case Frame.PING:
        this.#ping(flags, id, buffer, start, end);
        return;
      case Frame.GOAWAY:
        if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream");
        if (end - start < 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY is too short");
        this.countIdle("GOAWAY frames");
        this.wentAway(buffer.readUInt32BE(start) & MAX_WINDOW, buffer.readUInt32BE(start + 4), buffer.toString("latin1", start + 8, end));
        return;
      case Frame.WINDOW_UPDATE:
        this.#windowUpdate(id, buffer, start, end);
        return;
      case Frame.CONTINUATION:
        this.#continuation(flags, buffer, start, end);
        return;
      default:
        this.countIdle("frames of unknown types");
    }
  }

  /** Ends the connection with GOAWAY. */
  fail(code: ErrorCode, reason: string): void {
    if (!this.reading) return;
    this.goAway(this.lastPeerId, code, reason);
    this.end(reason);
  }

  /** Ends the connection once all that was written is sent. Streams that still run are lost. */
  end(reason: string): void {
    if (!this.reading) return;
    this.#outbox.flush();
    this.#over(reason);
  }

  /** GOAWAY (section 6.8): streams above `lastId` are not worked on. */
  goAway(lastId: number, code: ErrorCode, reason = ""): void {
    const text = Buffer.from(reason, "utf8").subarray(0, 256);
    const payload = Buffer.alloc(8 + text.length);
    payload.writeUInt32BE(lastId);
    payload.writeUInt32BE(code, 4);
    text.copy(payload, 8);
    this.sender.frame(Frame.GOAWAY, 0, 0, payload);
  }

  ping(payload: Buffer): void {
    this.sender.frame(Frame.PING, 0, 0, payload);
  }

  /** Ends one stream with RST_STREAM. Its `onReset` is not called: the caller knows. */
  reset(stream: Stream<Section>, code: ErrorCode): void {
    if (stream.over) return;
    this.sender.number(Frame.RST_STREAM, stream.id, code);
    this.recent.reset(stream.id);
    this.#forget(stream);
  }

  /** The same, on behalf of the connection: the stream is told. */
  abort(stream: Stream<Section>, code: ErrorCode, reason: string, origin: ResetOrigin = "local"): void {
    if (stream.over) return;
    this.reset(stream, code);
    stream.onReset(code, origin, reason);
  }

  /** Accounts for bytes of unfinished or untaken messages. False: there is no room, and nothing was counted. A negative number gives back. */
  hold(bytes: number): boolean {
    if (bytes > 0 && this.#held + bytes > this.limits.maxHeldBytes) return false;
    this.#held += bytes;
    return true;
  }

  /** Begins to keep what arrives for the stream; the peer's window for it is then not renewed. */
  pause(stream: Stream<Section>): void {
    stream.inbox ??= new Inbox();
  }

  /** Hands over what was kept, and goes on. It stops again if the stream is paused while it takes. A stream that is over may have something left. */
  resume(stream: Stream<Section>): void {
    const kept = stream.inbox;
    if (kept === undefined) return;
    stream.inbox = undefined;
    for (let arrival = kept.take(); arrival !== undefined; arrival = kept.take()) {
      if ("section" in arrival) stream.onHeaders(arrival.section, arrival.ended);
      else {
        this.#held -= heldFor(arrival.data);
        stream.onData(arrival.data, 0, arrival.data.length, arrival.ended);
        if (!arrival.ended) this.#credit(stream, arrival.data.length);
      }
      const again = this.#inboxOf(stream);
      if (again === undefined) continue;
      const rest = again.take();
      if (rest !== undefined) kept.putBack(rest);
      stream.inbox = kept;
      return;
    }
  }

  /** Keeps what a stream that was paused in the middle of its payload has not taken: it comes again when the stream goes on. */
  keep(stream: Stream<Section>, buffer: Buffer, start: number, end: number, ended: boolean): void {
    const data = Buffer.from(buffer.subarray(start, end));
    this.#held += heldFor(data);
    stream.inbox?.putBack({ data, ended });
    // Whoever handed it over gives it back to the window, and so will the second time.
    stream.owed -= data.length;
  }

  /** Drops what was kept: nobody will take it. */
  discard(stream: Stream<Section>): void {
    const { inbox } = stream;
    if (inbox === undefined) return;
    stream.inbox = undefined;
    for (let arrival = inbox.take(); arrival !== undefined; arrival = inbox.take()) {
      if ("data" in arrival) this.#held -= heldFor(arrival.data);
    }
  }

  /** Asked anew: whoever takes a message may pause the stream. */
  #inboxOf(stream: Stream<Section>): Inbox<Section> | undefined {
    return stream.inbox;
  }

  overflowed(stream: Stream<Section>): void {
    this.abort(stream, ErrorCode.ENHANCE_YOUR_CALM, `more than ${this.limits.maxQueuedBytes} bytes wait for the peer's window`);
  }

  /** Counts a frame that costs work and brings nothing. */
  countIdle(what: string): void {
    if (!this.idleFrames.take(performance.now())) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `too many ${what}`);
  }

  /** Ends a stream on which the peer broke the rules. To provoke a reset is as cheap as to send one, and counts as one. */
  #fault(stream: Stream<Section>, code: ErrorCode, reason: string): void {
    this.abort(stream, code, reason);
    this.wasReset();
  }

  /** Both sides have ended the stream. */
  protected finished(stream: Stream<Section>): void {
    this.recent.closed(stream.id);
    this.#forget(stream);
  }

  #forget(stream: Stream<Section>): void {
    stream.over = true;
    this.streams.delete(stream.id);
    this.sender.forget(stream);
    this.streamClosed();
  }

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
    this.socket.end();
    if (!this.socket.destroyed) {
      const cut = setTimeout(() => this.socket.destroy(), LINGER_MS);
      this.socket.once("close", () => clearTimeout(cut));
    }
    this.closed(reason);
  }

  #data(flags: number, id: number, buffer: Buffer, from: number, to: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "DATA on stream 0");
    const bytes = to - from;
    this.#receiveWindow -= bytes;
    if (this.#receiveWindow < 0) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window allows");
    this.#owed += bytes;
    if (this.#owed * 2 >= this.limits.connectionWindowBytes) {
      this.#receiveWindow += this.#owed;
      this.sender.number(Frame.WINDOW_UPDATE, 0, this.#owed);
      this.#owed = 0;
    }
    const stream = this.streams.get(id);
    let start = from;
    let end = to;
    if ((flags & Flag.PADDED) !== 0) {
      const padding = bytes === 0 ? 0 : (buffer[start] as number);
      if (padding >= bytes) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "more padding than frame");
      start += 1;
      end -= padding;
    }
    if (stream === undefined || stream.remoteEnded) {
      this.#dataOnClosed(id, stream);
      return;
    }
    const ended = (flags & Flag.END_STREAM) !== 0;
    if (start === end && !ended) this.countIdle("empty DATA frames");
    stream.receiveWindow -= bytes;
    if (stream.receiveWindow < 0) {
      this.#fault(stream, ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the stream's window allows");
      return;
    }
    if (stream.expected >= 0) {
      stream.expected -= end - start;
      if (stream.expected < 0 || (ended && stream.expected > 0)) {
        this.#fault(stream, ErrorCode.PROTOCOL_ERROR, "the field content-length is not what came");
        return;
      }
    }
    if (ended) stream.remoteEnded = true;
    if (stream.inbox !== undefined) {
      const data = Buffer.from(buffer.subarray(start, end));
      if (!this.hold(heldFor(data))) {
        this.#fault(stream, ErrorCode.ENHANCE_YOUR_CALM, `more than ${this.limits.maxHeldBytes} bytes are held`);
        return;
      }
      stream.inbox.push({ data, ended });
      if (bytes > data.length) this.#credit(stream, bytes - data.length);
    } else {
      stream.onData(buffer, start, end, ended);
      if (!ended) this.#credit(stream, bytes);
    }
    if (ended && stream.localEnded && !stream.over) this.finished(stream);
  }

  #credit(stream: Stream<Section>, bytes: number): void {
    stream.owed += bytes;
    if (stream.owed * 2 < this.limits.streamWindowBytes || stream.remoteEnded || stream.over) return;
    stream.receiveWindow += stream.owed;
    this.sender.number(Frame.WINDOW_UPDATE, stream.id, stream.owed);
    stream.owed = 0;
  }

  #dataOnClosed(id: number, stream: Stream<Section> | undefined): void {
    if (stream !== undefined) {
      this.#fault(stream, ErrorCode.STREAM_CLOSED, "DATA after END_STREAM");
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
      end -= start < to ? (buffer[start] as number) : 0;
      start += 1;
    }
    if ((flags & Flag.PRIORITY) !== 0) {
      if (start + 5 <= end) this.#checkDependency(id, buffer, start);
      start += 5;
    }
    if (start > end) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "more padding than frame");
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
        this.#headersOnClosed(id);
        return;
      }
      const stream = this.opened(id, section);
      if (stream === undefined) return;
      stream.expected = section.contentLength;
      this.#handOver(stream, section, ended);
    } else if (known.remoteEnded) this.#fault(known, ErrorCode.STREAM_CLOSED, "HEADERS after END_STREAM");
    else {
      const fault = this.laterFault(section, ended);
      if (fault === undefined) this.#handOver(known, section, ended);
      else this.#fault(known, ErrorCode.PROTOCOL_ERROR, fault);
    }
  }

  #handOver(stream: Stream<Section>, section: Section, ended: boolean): void {
    if (ended && stream.expected > 0) {
      this.#fault(stream, ErrorCode.PROTOCOL_ERROR, "the field content-length is not what came");
      return;
    }
    if (ended) stream.remoteEnded = true;
    if (stream.inbox === undefined) stream.onHeaders(section, ended);
    else stream.inbox.push({ section, ended });
    if (ended && stream.localEnded && !stream.over) this.finished(stream);
  }

  #headersOnClosed(id: number): void {
    if (this.recent.isReset(id)) return;
    const code = this.recent.isClosed(id) ? ErrorCode.STREAM_CLOSED : ErrorCode.PROTOCOL_ERROR;
    throw new ConnectionError(code, "HEADERS on a stream that is closed");
  }

  #checkDependency(id: number, buffer: Buffer, at: number): void {
    // RFC 7540 section 5.3.1; RFC 9113 has no use for priorities any more.
    if ((buffer.readUInt32BE(at) & MAX_WINDOW) === id) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself");
  }

  #priority(id: number, buffer: Buffer, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0");
    if (end - start !== 5) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "the length of PRIORITY is not 5");
    this.#checkDependency(id, buffer, start);
    this.countIdle("PRIORITY frames");
  }

  #rstStream(id: number, buffer: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "the length of RST_STREAM is not 4");
    if (id === 0 || this.isIdle(id)) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on a stream that was not opened");
    const stream = this.streams.get(id);
    if (stream === undefined) {
      // It may have crossed with the end of the stream, as when the deadline passes at both ends.
      if (!this.recent.isClosed(id) && !this.recent.isReset(id)) this.countIdle("frames on closed streams");
      return;
    }
    this.recent.closed(id);
    this.#forget(stream);
    const code = buffer.readUInt32BE(start);
    stream.onReset(code, code === ErrorCode.REFUSED_STREAM ? "unsent" : "peer", `the peer has reset the stream (${errorName(code)})`);
    this.wasReset();
  }

  #settings(flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream");
    if ((flags & Flag.ACK) !== 0) {
      if (end !== start) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS has a payload");
      if (this.#settled) this.countIdle("SETTINGS");
      return;
    }
    const before = this.peer.initialWindow;
    this.peer.apply(buffer, start, end);
    this.sender.encoder.setPeerTableBytes(this.peer.headerTableBytes);
    const change = this.peer.initialWindow - before;
    if (change !== 0) {
      for (const stream of this.streams.all()) {
        stream.sendWindow += change;
        if (stream.sendWindow > MAX_WINDOW) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "a window is above 2^31-1");
      }
    }
    this.sender.frame(Frame.SETTINGS, Flag.ACK, 0, NO_BYTES);
    if (change > 0) this.sender.pump();
    if (this.#settled) {
      this.countIdle("SETTINGS");
      this.resettled();
      return;
    }
    this.#settled = true;
    this.#watch.settled();
    this.settled();
  }

  #ping(flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PING on a stream");
    if (end - start !== 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "the length of PING is not 8");
    const payload = buffer.subarray(start, end);
    if ((flags & Flag.ACK) !== 0) {
      this.pongReceived(payload);
      return;
    }
    // Clients measure the way with a PING for each burst of DATA: such a one is no flood.
    if (this.#pingExcused) this.#pingExcused = false;
    else this.countIdle("PING frames");
    this.sender.frame(Frame.PING, Flag.ACK, 0, payload);
  }

  /** Something of a call was sent or taken. */
  busy(): void {
    this.#pingExcused = true;
  }

  #windowUpdate(id: number, buffer: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "the length of WINDOW_UPDATE is not 4");
    const bytes = buffer.readUInt32BE(start) & MAX_WINDOW;
    if (id === 0) {
      if (bytes === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE of 0");
      this.sender.widen(bytes);
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (this.isIdle(id)) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE on a stream that was not opened");
      return;
    }
    if (bytes === 0) {
      this.#fault(stream, ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE of 0");
      return;
    }
    stream.sendWindow += bytes;
    if (stream.sendWindow > MAX_WINDOW) {
      this.#fault(stream, ErrorCode.FLOW_CONTROL_ERROR, "the window of a stream is above 2^31-1");
      return;
    }
    if (stream.queue !== undefined) this.sender.pumpOne(stream);
  }
}

function heldFor(data: Buffer): number {
  return data.length + KEPT_BYTES;
}
