import { ConnectionError, ErrorCode } from "./protocol.ts";

/** How many bytes at the end of a frame with PADDED are padding: its first byte says so (RFC 9113 section 6.1). Throws a ConnectionError for too many. */
export function paddingBytes(buffer: Buffer, start: number, end: number): number {
  const padding = start < end ? (buffer[start] as number) : 0;
  if (padding >= end - start) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "more padding than frame");
  return padding;
}
