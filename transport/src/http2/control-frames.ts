import type { FieldSection } from "./field-section.ts";
import { checkPriority, PRIORITY_BYTES } from "./priority.ts";
import { ConnectionError, ErrorCode, Flag, Frame, MAX_WINDOW } from "./protocol.ts";
import type { Sender } from "./sender.ts";
import type { PeerSettings } from "./settings.ts";
import { takeSettings } from "./settings-exchange.ts";
import type { Stream } from "./stream.ts";
import type { StreamTable } from "./stream-table.ts";

/** A connection, as control frames see and change it. */
export interface ControlSide<Section extends FieldSection> {
  readonly streams: StreamTable<Stream<Section>>;
  readonly sender: Sender<Section>;
  readonly peer: PeerSettings;
  /** The peer's first SETTINGS, its half of the handshake, have come. */
  settled: boolean;
  /** Something of a call was sent or taken since the last PING: the next one is not idle. */
  pingExcused: boolean;
  /** The peer's first SETTINGS have been taken over. */
  greeted(): void;
  /** So have later ones. */
  resettled(): void;
  /** The peer answered a PING of ours. `payload` is good until the call returns. */
  pongReceived(payload: Buffer): void;
  /** GOAWAY: the peer works on no stream of ours above `lastId`, and `code` and `reason` say why. */
  wentAway(lastId: number, code: number, reason: string): void;
  /** Whether a stream with this id was never opened, by either side (section 5.1.1). */
  isIdle(id: number): boolean;
  /** Counts a frame that costs work and brings nothing. Throws a ConnectionError (ENHANCE_YOUR_CALM) when there were too many. */
  countIdle(what: string): void;
  /** Ends a stream on which the peer broke the rules. */
  fault(stream: Stream<Section>, code: ErrorCode, reason: string): void;
}

/**
 * A frame that carries nothing of a call: what the two ends say to one another about the connection and its windows, RFC 9113 section 6.3 and 6.5 to
 * 6.9. Frames of unknown types are passed over (section 5.5), and counted. Throws a ConnectionError for what is not allowed.
 */
export function takeControlFrame<Section extends FieldSection>(
  side: ControlSide<Section>,
  type: number,
  flags: number,
  id: number,
  buffer: Buffer,
  start: number,
  end: number,
): void {
  switch (type) {
    case Frame.WINDOW_UPDATE:
      takeWindowUpdate(side, id, buffer, start, end);
      return;
    case Frame.PING:
      takePing(side, flags, id, buffer, start, end);
      return;
    case Frame.SETTINGS:
      takeSettings(side, flags, id, buffer, start, end);
      return;
    case Frame.GOAWAY:
      takeGoAway(side, id, buffer, start, end);
      return;
    case Frame.PRIORITY:
      if (id === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0");
      if (end - start !== PRIORITY_BYTES) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "the length of PRIORITY is not 5");
      checkPriority(id, buffer, start, end);
      side.countIdle("PRIORITY frames");
      return;
    case Frame.PUSH_PROMISE:
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE is not allowed");
    default:
      side.countIdle("frames of unknown types");
  }
}

function takePing(side: ControlSide<FieldSection>, flags: number, id: number, buffer: Buffer, start: number, end: number): void {
  if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PING on a stream");
  if (end - start !== 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "the length of PING is not 8");
  const payload = buffer.subarray(start, end);
  if ((flags & Flag.ACK) !== 0) {
    side.pongReceived(payload);
    return;
  }
  // Peers measure the way with a PING for the first DATA after each answer to one: such a one is no flood.
  if (side.pingExcused) side.pingExcused = false;
  else side.countIdle("PING frames");
  side.sender.frame(Frame.PING, Flag.ACK, 0, payload);
}

function takeGoAway(side: ControlSide<FieldSection>, id: number, buffer: Buffer, start: number, end: number): void {
  if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream");
  if (end - start < 8) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY is too short");
  side.countIdle("GOAWAY frames");
  side.wentAway(buffer.readUInt32BE(start) & MAX_WINDOW, buffer.readUInt32BE(start + 4), buffer.toString("latin1", start + 8, end));
}

function takeWindowUpdate<Section extends FieldSection>(
  side: ControlSide<Section>,
  id: number,
  buffer: Buffer,
  start: number,
  end: number,
): void {
  if (end - start !== 4) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "the length of WINDOW_UPDATE is not 4");
  const bytes = buffer.readUInt32BE(start) & MAX_WINDOW;
  if (id === 0) {
    if (bytes === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE of 0");
    side.sender.widen(bytes);
    return;
  }
  const stream = side.streams.get(id);
  if (stream === undefined) {
    // On one that is over it may have crossed with the end.
    if (side.isIdle(id)) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE on a stream that was not opened");
    return;
  }
  if (bytes === 0) {
    side.fault(stream, ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE of 0");
    return;
  }
  stream.sendWindow += bytes;
  if (stream.sendWindow > MAX_WINDOW) {
    side.fault(stream, ErrorCode.FLOW_CONTROL_ERROR, "the window of a stream is above 2^31-1");
    return;
  }
  if (stream.queue !== undefined) side.sender.pumpOne(stream);
}
