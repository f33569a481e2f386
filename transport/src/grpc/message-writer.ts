import type { FieldSection } from "../http2/field-section.ts";
import { writeBytes, writeFrameHeader, writeUint32 } from "../http2/frame-writer.ts";
import { Flag, FRAME_HEADER_BYTES, Frame } from "../http2/protocol.ts";
import type { Sender } from "../http2/sender.ts";
import type { Stream } from "../http2/stream.ts";
import { compress, type Encoding, isWorth } from "./compression.ts";
import { PREFIX_BYTES } from "./message-reader.ts";

/** What one DATA frame adds to a message that lies in it. */
export const MESSAGE_FRAME_BYTES = FRAME_HEADER_BYTES + PREFIX_BYTES;

/** The whole frame of a message, which must fit into `Sender.room`; its bytes are accounted for. */
export function putMessage(
  buffer: Buffer,
  at: number,
  stream: Stream<FieldSection>,
  sender: Sender<FieldSection>,
  message: Uint8Array,
  ended: boolean,
): void {
  const length = PREFIX_BYTES + message.length;
  writeFrameHeader(buffer, at, length, Frame.DATA, ended ? Flag.END_STREAM : 0, stream.id);
  buffer[at + FRAME_HEADER_BYTES] = 0;
  writeUint32(buffer, at + FRAME_HEADER_BYTES + 1, message.length);
  writeBytes(buffer, at + MESSAGE_FRAME_BYTES, message);
  sender.window -= length;
  stream.sendWindow -= length;
}

/** Sends a message as soon as the windows allow. */
export function sendMessage(
  sender: Sender<FieldSection>,
  stream: Stream<FieldSection>,
  message: Uint8Array,
  encoding: Encoding,
  ended: boolean,
): void {
  const compressed = isWorth(encoding, message);
  const payload = compressed ? compress(message) : message;
  if (!compressed && !ended && PREFIX_BYTES + payload.length <= sender.room(stream)) {
    const at = sender.outbox.reserve(MESSAGE_FRAME_BYTES + payload.length);
    putMessage(sender.outbox.buffer, at, stream, sender, payload, false);
    return;
  }
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  prefix[0] = compressed ? 1 : 0;
  writeUint32(prefix, 1, payload.length);
  sender.data(stream, prefix, payload, ended);
}
