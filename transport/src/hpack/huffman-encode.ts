import { CODE_BITS, CODES } from "./huffman-code.ts";

/** How many bytes `text` has once encoded, padding included. Throws TypeError for what is not latin1. */
export function encodedBytes(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    if (symbol > 0xff) throw new TypeError("a header field has a character that is not latin1");
    bits += CODE_BITS[symbol] as number;
  }
  return (bits + 7) >>> 3;
}

/** Encodes `text`, which is latin1, at target[at] and returns where it ends. */
export function encodeHuffman(text: string, target: Uint8Array, at: number): number {
  // The low `held` bits of `window` are those not yet written: fewer than eight before each code, and codes are up to 30 long.
  let window = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    let bits = CODE_BITS[symbol] as number;
    const code = CODES[symbol] as number;
    if (bits > 24) {
      bits -= 8;
      window = (window << 8) | (code >>> bits);
      target[at++] = window >>> held;
    }
    window = (window << bits) | (code & ((1 << bits) - 1));
    held += bits;
    while (held >= 8) {
      held -= 8;
      target[at++] = window >>> held;
    }
  }
  // Padded with the beginning of EOS, which is ones (RFC 7541 5.2).
  if (held > 0) target[at++] = (window << (8 - held)) | (0xff >>> held);
  return at;
}
