// Loaded when it is needed: the clients of RocketMQ 5 seldom compress.
const zlib = () => process.getBuiltinModule("node:zlib");

/** What a broker takes, and the older clients' own limit before they compress. */
export const MOST_BYTES = 4 * 2 ** 20;

/**
 * The bytes of a body that is marked as compressed. RocketMQ calls it gzip whatever it is: its older clients, which compress what is above four
 * kilobytes, write zlib unless they are told otherwise. Undefined: it is neither, or would become too large.
 */
export function uncompressed(body: Uint8Array): Uint8Array | undefined {
  try {
    return zlib().unzipSync(body, { maxOutputLength: MOST_BYTES });
  } catch (error) {
    // Of a length or of bytes that it does not like; anything else is a fault of the program.
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}
