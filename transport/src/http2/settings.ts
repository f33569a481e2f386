import {
  ConnectionError,
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW,
  ErrorCode,
  FRAME_HEADER_BYTES,
  Frame,
  MAX_WINDOW,
  Setting,
} from "./protocol.ts";

/** What the peer asked for, RFC 9113 section 6.5.2; before it said anything, the protocol's defaults. */
export class PeerSettings {
  headerTableBytes = 4_096;
  maxConcurrentStreams = Number.POSITIVE_INFINITY;
  initialWindow = DEFAULT_WINDOW;
  maxFrameBytes = DEFAULT_FRAME_BYTES;
  maxHeaderListBytes = Number.POSITIVE_INFINITY;

  /** Takes over the payload of a SETTINGS frame. Throws a ConnectionError for a value that is not allowed. */
  apply(buffer: Buffer, start: number, end: number): void {
    if ((end - start) % 6 !== 0) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "the length of SETTINGS is not a multiple of 6");
    for (let at = start; at < end; at += 6) this.#set(buffer.readUInt16BE(at), buffer.readUInt32BE(at + 2));
  }

  #set(id: number, value: number): void {
    switch (id) {
      case Setting.HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        break;
      case Setting.ENABLE_PUSH:
        if (value > 1) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `SETTINGS_ENABLE_PUSH is ${value}, not 0 or 1`);
        break;
      case Setting.MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value;
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `SETTINGS_INITIAL_WINDOW_SIZE is ${value}`);
        this.initialWindow = value;
        break;
      case Setting.MAX_FRAME_SIZE:
        if (value < DEFAULT_FRAME_BYTES || value > 2 ** 24 - 1) {
          throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `SETTINGS_MAX_FRAME_SIZE is ${value}`);
        }
        this.maxFrameBytes = value;
        break;
      case Setting.MAX_HEADER_LIST_SIZE:
        this.maxHeaderListBytes = value;
        break;
    }
  }
}

/** A whole SETTINGS frame. */
export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const length = settings.length * 6;
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + length);
  frame.writeUIntBE(length, 0, 3);
  frame[3] = Frame.SETTINGS;
  settings.forEach(([id, value], index) => {
    frame.writeUInt16BE(id, FRAME_HEADER_BYTES + index * 6);
    frame.writeUInt32BE(value, FRAME_HEADER_BYTES + index * 6 + 2);
  });
  return frame;
}
