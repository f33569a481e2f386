/** Writes the nine bytes that begin a frame, RFC 9113 section 4.1. */
export function writeFrameHeader(buffer: Buffer, at: number, length: number, type: number, flags: number, streamId: number): void {
  buffer[at] = length >>> 16;
  buffer[at + 1] = length >>> 8;
  buffer[at + 2] = length;
  buffer[at + 3] = type;
  buffer[at + 4] = flags;
  writeUint32(buffer, at + 5, streamId);
}

export function writeUint32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
}

/** Copies `source` to `target`. For a few bytes a loop is cheaper than a call out of JavaScript. */
export function writeBytes(target: Buffer, at: number, source: Uint8Array): void {
  const { length } = source;
  if (length > 32) target.set(source, at);
  else for (let index = 0; index < length; index++) target[at + index] = source[index] as number;
}
