// Loaded when it is needed: few compress.
const zlib = () => process.getBuiltinModule("node:zlib");

/** The encodings that we read and write, as `grpc-accept-encoding` tells them. */
export const ACCEPTED = "identity,gzip";
export type Encoding = "identity" | "gzip";

/** A message below it gains nothing. */
const WORTH_BYTES = 512;

/** Whether a message is sent compressed, where `encoding` was agreed on. */
export function isWorth(encoding: Encoding, message: Uint8Array): boolean {
  return encoding === "gzip" && message.length >= WORTH_BYTES;
}

export function compress(message: Uint8Array): Uint8Array {
  return zlib().gzipSync(message, { level: 1 });
}

/** Undefined: it is no gzip. `tooLarge`: it would become more than `maxBytes`; no more than that is ever made. */
export function decompress(message: Uint8Array, maxBytes: number): Uint8Array | "tooLarge" | undefined {
  try {
    return zlib().gunzipSync(message, { maxOutputLength: maxBytes });
  } catch (error) {
    return error instanceof RangeError || (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE" ? "tooLarge" : undefined;
  }
}
