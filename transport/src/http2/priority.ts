import { ConnectionError, ErrorCode, MAX_WINDOW } from "./protocol.ts";

/** What PRIORITY consists of, and HEADERS with that flag begin with, RFC 7540 section 6.3. RFC 9113 has no use for it any more. */
export const PRIORITY_BYTES = 5;

/** Throws a ConnectionError when it is not whole, or when the stream would depend on itself (RFC 7540 section 5.3.1). */
export function checkPriority(id: number, buffer: Buffer, start: number, end: number): void {
  if (end - start < PRIORITY_BYTES) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a priority is too short");
  if ((buffer.readUInt32BE(start) & MAX_WINDOW) === id) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself");
}
