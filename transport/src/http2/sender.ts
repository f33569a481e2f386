import { HpackEncoder } from "../hpack/encoder.ts";
import type { FieldSection } from "./field-section.ts";
import { writeBytes, writeFrameHeader, writeUint32 } from "./frame-writer.ts";
import type { HeaderTemplate } from "./header-template.ts";
import type { Limits } from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import {
  ConnectionError,
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW,
  ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  Frame,
  MAX_WINDOW,
} from "./protocol.ts";
import type { Stream } from "./stream.ts";

/** Frames are not made larger than this, even if the peer would take them: others want their turn. */
const FRAME_BYTES = DEFAULT_FRAME_BYTES;

export interface SendingSide<Section extends FieldSection> {
  /** Something of a call was sent. */
  busy(): void;
  /** END_STREAM has been sent. */
  sentEnd(stream: Stream<Section>): void;
  /** More waits for the peer than it may keep waiting. */
  overflowed(stream: Stream<Section>): void;
  /** That much does not wait any more. */
  roomier(): void;
}

/**
 * All that a connection sends: header sections and payload of its streams, within the windows (RFC 9113 section 5.2). What may not leave yet
 * waits in its stream's queue; streams that wait for the connection take turns, a frame each.
 */
export class Sender<Section extends FieldSection> {
  readonly outbox: Outbox;
  readonly encoder = new HpackEncoder();
  /** What we may send on the whole connection. */
  window = DEFAULT_WINDOW;
  /** Bytes that wait here, of all streams. */
  queued = 0;
  readonly #side: SendingSide<Section>;
  readonly #limits: Limits;
  readonly #waiting = new Set<Stream<Section>>();

  constructor(outbox: Outbox, side: SendingSide<Section>, limits: Limits) {
    this.outbox = outbox;
    this.#side = side;
    this.#limits = limits;
  }

  /** The streams that have something to send. */
  get waiting(): Iterable<Stream<Section>> {
    return this.#waiting;
  }

  /** More waits than may. */
  get full(): boolean {
    return this.queued > this.#limits.maxQueuedBytes;
  }

  get idle(): boolean {
    return this.#waiting.size === 0 && this.outbox.unread === 0;
  }

  /** Bytes of payload that may leave now, in one frame. At most 0: none. */
  room(stream: Stream<Section>): number {
    if (this.outbox.blocked || (stream.queue !== undefined && !stream.queue.empty)) return 0;
    return Math.min(this.window, stream.sendWindow, FRAME_BYTES);
  }

  /** A header section; behind payload that waits it waits as well. */
  headers(stream: Stream<Section>, template: HeaderTemplate, ended: boolean): void {
    if (stream.queue !== undefined && !stream.queue.empty) {
      stream.queue.trailers = template;
      // From now on it is to be taken within `stalledMs`.
      stream.queue.progressAt = performance.now();
      return;
    }
    this.#writeHeaders(stream, template, ended);
  }

  /** Payload, in two pieces that belong together. They must not be changed afterwards. */
  data(stream: Stream<Section>, head: Uint8Array, rest: Uint8Array, ended: boolean): void {
    const { waiting } = stream;
    const waited = !waiting.empty;
    const before = waiting.held;
    if (!waited || ended) waiting.progressAt = performance.now();
    waiting.push(head);
    waiting.push(rest);
    if (ended) waiting.ends = true;
    this.queued += waiting.held - before;
    this.#waiting.add(stream);
    // Behind what waits it waits as well: whoever opened the way pumps.
    if (!waited) this.#pumpStream(stream, Number.POSITIVE_INFINITY, false);
    if (this.full && !waiting.empty) this.#side.overflowed(stream);
  }

  /** The stream is over: what waits is dropped. */
  forget(stream: Stream<Section>): void {
    if (stream.queue === undefined) return;
    this.#leaves(stream.queue.held);
    stream.queue = undefined;
    this.#waiting.delete(stream);
  }

  /** Sends what the windows and the socket allow, one frame of each stream after the other. */
  pump(): void {
    for (const stream of this.#waiting) {
      if (this.window <= 0 || this.outbox.blocked) return;
      // After its frame it is the last in the line, also at the next time: small windows must not always serve the same streams.
      if (this.#pumpStream(stream, 1, true) && this.#waiting.delete(stream)) this.#waiting.add(stream);
    }
  }

  /** The same for a stream whose window has grown: for the others nothing has changed. */
  pumpOne(stream: Stream<Section>): void {
    if (this.#waiting.has(stream)) this.#pumpStream(stream, Number.POSITIVE_INFINITY, true);
  }

  /** A WINDOW_UPDATE of the connection. */
  widen(bytes: number): void {
    const waits = this.window <= 0;
    this.window += bytes;
    if (this.window > MAX_WINDOW) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "the window of the connection is above 2^31-1");
    if (waits) this.pump();
  }

  /** A frame of its own, from its nine bytes on. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    const at = this.outbox.reserve(FRAME_HEADER_BYTES + payload.length);
    writeFrameHeader(this.outbox.buffer, at, payload.length, type, flags, streamId);
    writeBytes(this.outbox.buffer, at + FRAME_HEADER_BYTES, payload);
  }

  /** GOAWAY (section 6.8): streams of the peer above `lastId` are not worked on. Of `reason` at most 256 bytes are told. */
  goAway(lastId: number, code: ErrorCode, reason = ""): void {
    const text = Buffer.from(reason, "utf8").subarray(0, 256);
    const payload = Buffer.alloc(8 + text.length);
    payload.writeUInt32BE(lastId);
    payload.writeUInt32BE(code, 4);
    text.copy(payload, 8);
    this.frame(Frame.GOAWAY, 0, 0, payload);
  }

  /** PING; `payload` has eight bytes. */
  ping(payload: Buffer): void {
    this.frame(Frame.PING, 0, 0, payload);
  }

  /** RST_STREAM and WINDOW_UPDATE: a number is all they say. */
  number(type: number, streamId: number, value: number): void {
    const at = this.outbox.reserve(FRAME_HEADER_BYTES + 4);
    writeFrameHeader(this.outbox.buffer, at, 4, type, 0, streamId);
    writeUint32(this.outbox.buffer, at + FRAME_HEADER_BYTES, value);
  }

  #writeHeaders(stream: Stream<Section>, template: HeaderTemplate, ended: boolean): void {
    this.#side.busy();
    const block = template.encode(this.encoder);
    const flags = ended ? Flag.END_STREAM : 0;
    if (block.length <= FRAME_BYTES) this.frame(Frame.HEADERS, flags | Flag.END_HEADERS, stream.id, block);
    else {
      this.frame(Frame.HEADERS, flags, stream.id, block.subarray(0, FRAME_BYTES));
      for (let at = FRAME_BYTES; at < block.length; at += FRAME_BYTES) {
        const last = at + FRAME_BYTES >= block.length;
        this.frame(Frame.CONTINUATION, last ? Flag.END_HEADERS : 0, stream.id, block.subarray(at, at + FRAME_BYTES));
      }
    }
    if (ended) this.#side.sentEnd(stream);
  }

  /** At most `frames` frames; whether any was sent. `tells`: the stream is told when nothing waits any more. */
  #pumpStream(stream: Stream<Section>, frames: number, tells: boolean): boolean {
    const { queue } = stream;
    if (queue === undefined) return false;
    let sent = 0;
    while (queue.bytes > 0) {
      const count = Math.min(queue.bytes, this.window, stream.sendWindow, FRAME_BYTES);
      if (count <= 0 || this.outbox.blocked || sent === frames) return sent > 0;
      this.#writeData(stream, queue, count);
      sent += 1;
    }
    this.#waiting.delete(stream);
    if (queue.ends) {
      if (sent === 0) this.#writeData(stream, queue, 0);
      queue.ends = false;
      this.#side.sentEnd(stream);
    } else if (queue.trailers !== undefined) {
      const { trailers } = queue;
      queue.trailers = undefined;
      this.#writeHeaders(stream, trailers, true);
    } else if (tells) stream.onWritable();
    return true;
  }

  #writeData(stream: Stream<Section>, queue: Stream<Section>["waiting"], count: number): void {
    this.#side.busy();
    const at = this.outbox.reserve(FRAME_HEADER_BYTES + count);
    const { buffer } = this.outbox;
    const last = queue.ends && queue.bytes === count;
    const before = queue.held;
    writeFrameHeader(buffer, at, count, Frame.DATA, last ? Flag.END_STREAM : 0, stream.id);
    queue.move(buffer, at + FRAME_HEADER_BYTES, count);
    queue.progressAt = performance.now();
    this.window -= count;
    stream.sendWindow -= count;
    this.#leaves(before - queue.held);
  }

  #leaves(bytes: number): void {
    const full = this.full;
    this.queued -= bytes;
    if (full && !this.full) this.#side.roomier();
  }
}
