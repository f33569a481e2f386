/**
 * UTF-8 bytes outside of printable ASCII, and the percent sign itself, as %XX ("Status-Message" in gRPC's HTTP/2 protocol). A blank at either
 * end, too: there HTTP/2 does not allow it (RFC 9113 section 8.2.1).
 */
export function encodeStatusMessage(text: string): string {
  if (/^(?! )[\x20-\x24\x26-\x7e]*(?<! )$/.test(text)) return text;
  let encoded = "";
  const bytes = Buffer.from(text, "utf8");
  for (const [at, byte] of bytes.entries()) {
    const isEdge = at === 0 || at === bytes.length - 1;
    const plain = byte >= (isEdge ? 0x21 : 0x20) && byte <= 0x7e && byte !== 0x25;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** What cannot be decoded stays as it is: a damaged message is better than none. */
export function decodeStatusMessage(text: string): string {
  if (!text.includes("%")) return text;
  const bytes = Buffer.from(
    text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );
  return bytes.toString("utf8");
}
