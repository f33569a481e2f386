/** The end of a string, which must not appear in one (RFC 7541 5.2). */
export const EOS = 256;
export const SHORTEST = 5;
export const LONGEST = 30;

/**
 * The bits of each symbol's code, EOS last (RFC 7541 Appendix B). The code is canonical: among codes of one length the symbols ascend,
 * and shorter codes come first; so the lengths are all there is to know.
 */
// biome-ignore format: sixteen a line, as a table is read
export const CODE_BITS = Uint8Array.of(
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
);

/** Each symbol's code, in its low bits. */
export const CODES = new Int32Array(EOS + 1);
/** The symbols in the order of their codes. */
export const SYMBOLS = new Uint16Array(EOS + 1);
/** By length: the first code of it. */
export const FIRST_CODE = new Int32Array(LONGEST + 1);
/** By length: where its symbols begin in SYMBOLS. They end where those of the next length begin. */
export const FIRST_SYMBOL = new Uint16Array(LONGEST + 2);

let code = 0;
let place = 0;
for (let bits = SHORTEST; bits <= LONGEST; bits++) {
  FIRST_CODE[bits] = code;
  FIRST_SYMBOL[bits] = place;
  for (let symbol = 0; symbol <= EOS; symbol++) {
    if (CODE_BITS[symbol] !== bits) continue;
    CODES[symbol] = code++;
    SYMBOLS[place++] = symbol;
  }
  code <<= 1;
}
FIRST_SYMBOL[LONGEST + 1] = place;
