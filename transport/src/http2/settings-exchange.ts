import type { ControlSide } from "./control-frames.ts";
import type { FieldSection } from "./field-section.ts";
import type { Limits } from "./limits.ts";
import { ConnectionError, DEFAULT_WINDOW, ErrorCode, Flag, Frame, MAX_WINDOW } from "./protocol.ts";
import type { Sender } from "./sender.ts";
import { settingsFrame } from "./settings.ts";

const NO_BYTES = new Uint8Array();

/** Says what we allow the peer. There is no setting for the window of the connection: it is widened by a WINDOW_UPDATE (RFC 9113 section 6.9.2). */
export function announceSettings(sender: Sender<FieldSection>, limits: Limits, settings: Parameters<typeof settingsFrame>[0]): void {
  const frame = settingsFrame(settings);
  const { outbox } = sender;
  const at = outbox.reserve(frame.length);
  frame.copy(outbox.buffer, at);
  const more = limits.connectionWindowBytes - DEFAULT_WINDOW;
  if (more > 0) sender.number(Frame.WINDOW_UPDATE, 0, more);
}

/**
 * SETTINGS of the peer are taken over and acknowledged (section 6.5.3); its acknowledgement of ours is only counted. Throws a ConnectionError for
 * what is not allowed.
 */
export function takeSettings<Section extends FieldSection>(
  side: ControlSide<Section>,
  flags: number,
  id: number,
  buffer: Buffer,
  start: number,
  end: number,
): void {
  if (id !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream");
  if ((flags & Flag.ACK) !== 0) {
    if (end !== start) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS has a payload");
    if (side.settled) side.countIdle("SETTINGS");
    return;
  }
  const { peer, sender } = side;
  const before = peer.initialWindow;
  peer.apply(buffer, start, end);
  sender.encoder.setPeerTableBytes(peer.headerTableBytes);
  const change = peer.initialWindow - before;
  if (change !== 0) {
    // It holds for the streams that run, too, and may make a window negative (section 6.9.2).
    for (const stream of side.streams.all()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "a window is above 2^31-1");
    }
  }
  sender.frame(Frame.SETTINGS, Flag.ACK, 0, NO_BYTES);
  if (change > 0) sender.pump();
  if (side.settled) {
    side.countIdle("SETTINGS");
    side.resettled();
    return;
  }
  side.settled = true;
  side.greeted();
}
