/** A header block that cannot be decoded. The connection must end with COMPRESSION_ERROR (RFC 9113 4.3). */
export class HpackError extends Error {
  override readonly name = "HpackError";
}
