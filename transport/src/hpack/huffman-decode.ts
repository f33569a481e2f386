import { HpackError } from "./errors.ts";
import { CODE_BITS, CODES, EOS, FIRST_CODE, FIRST_SYMBOL, LONGEST, SHORTEST, SYMBOLS } from "./huffman-code.ts";

/** Codes up to this long are looked up at once; they are those of nearly all characters that headers have. */
const ONE_BITS = 10;
const ONE_MASK = (1 << ONE_BITS) - 1;
/** By the next ten bits: the length of the code that they begin with in the high byte, its symbol in the low one; 0 for a longer code. */
const ONE = new Uint16Array(1 << ONE_BITS);
for (let symbol = 0; symbol < EOS; symbol++) {
  const bits = CODE_BITS[symbol] as number;
  if (bits > ONE_BITS) continue;
  const from = (CODES[symbol] as number) << (ONE_BITS - bits);
  ONE.fill((bits << 8) | symbol, from, from + (1 << (ONE_BITS - bits)));
}

/** Most characters have six bits, so two at a time are looked up while there are enough; it halves the time of a long string. */
const TWO_BITS = 12;
const TWO_MASK = (1 << TWO_BITS) - 1;
/** By the next twelve bits: from the low byte up the first symbol, the second, how many there are (four bits), and their length. */
const TWO = new Int32Array(1 << TWO_BITS);
for (let next = 0; next <= TWO_MASK; next++) {
  const first = ONE[next >>> (TWO_BITS - ONE_BITS)] as number;
  if (first === 0) continue;
  const used = first >>> 8;
  const second = ONE[((next << used) & TWO_MASK) >>> (TWO_BITS - ONE_BITS)] as number;
  const both = second !== 0 && used + (second >>> 8) <= TWO_BITS;
  TWO[next] = both
    ? ((used + (second >>> 8)) << 20) | (2 << 16) | ((second & 0xff) << 8) | (first & 0xff)
    : (used << 20) | (1 << 16) | (first & 0xff);
}

/** The room that decoding so many bytes needs. */
export function roomToDecode(bytes: number): number {
  return Math.ceil((bytes * 8) / SHORTEST) + 1;
}

/**
 * Decodes source[at, end) into `target`, which must have `roomToDecode`. Returns how many bytes are decoded. Throws HpackError for EOS
 * and for padding that is not the beginning of it, or longer than seven bits (RFC 7541 5.2).
 */
export function decodeHuffman(source: Uint8Array, at: number, end: number, target: Uint8Array): number {
  let written = 0;
  // The low `held` bits of `window` are those read and not yet decoded; what is above them is spent.
  let window = 0;
  let held = 0;
  for (;;) {
    if (held < TWO_BITS && end - at >= 2) {
      window = (window << 16) | ((source[at] as number) << 8) | (source[at + 1] as number);
      at += 2;
      held += 16;
    }
    if (held >= TWO_BITS) {
      const found = TWO[(window >>> (held - TWO_BITS)) & TWO_MASK] as number;
      if (found !== 0) {
        // The second is overwritten if it is none.
        target[written] = found;
        target[written + 1] = found >>> 8;
        written += (found >>> 16) & 3;
        held -= found >>> 20;
        continue;
      }
    } else if (at < end) {
      window = (window << 8) | (source[at++] as number);
      held += 8;
    } else if (held < 8 && ((window + 1) & ((1 << held) - 1)) === 0) {
      // What is left is ones, and no code of seven bits or less is.
      return written;
    }
    // Beyond the end there is, as it were, more padding.
    const next = held >= ONE_BITS ? window >>> (held - ONE_BITS) : (window << (ONE_BITS - held)) | (ONE_MASK >>> held);
    const found = ONE[next & ONE_MASK] as number;
    if (found !== 0) {
      if (found >>> 8 > held) throw badPadding(held);
      target[written++] = found;
      held -= found >>> 8;
      continue;
    }
    const start = at * 8 - held;
    const left = end * 8 - start;
    const long = longCode(source, start, end);
    const bits = long >>> 16;
    if (bits > left) throw badPadding(left);
    if ((long & 0xffff) === EOS) throw new HpackError("a string has EOS in it");
    target[written++] = long;
    at = (start + bits + 7) >>> 3;
    held = at * 8 - start - bits;
    window = source[at - 1] as number;
  }
}

function badPadding(bits: number): HpackError {
  return new HpackError(bits > 7 ? "a string has more than seven bits of padding" : "a string's padding is not of ones");
}

/** The code that begins at bit `start` and is longer than ONE_BITS: its length in the high half, its symbol in the low one. */
function longCode(source: Uint8Array, start: number, end: number): number {
  let at = start >>> 3;
  const shift = start & 7;
  let window = 0;
  for (let i = 0; i < 4; i++, at++) window = (window << 8) | (at < end ? (source[at] as number) : 0xff);
  if (shift > 0) window = (window << shift) | ((at < end ? (source[at] as number) : 0xff) >>> (8 - shift));
  for (let bits = ONE_BITS + 1; bits < LONGEST; bits++) {
    const symbol = (FIRST_SYMBOL[bits] as number) + (window >>> (32 - bits)) - (FIRST_CODE[bits] as number);
    if (symbol < (FIRST_SYMBOL[bits + 1] as number)) return (bits << 16) | (SYMBOLS[symbol] as number);
  }
  const last = (window >>> (32 - LONGEST)) - (FIRST_CODE[LONGEST] as number);
  return (LONGEST << 16) | (SYMBOLS[(FIRST_SYMBOL[LONGEST] as number) + last] as number);
}
