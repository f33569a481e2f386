import fc from "fast-check";
import { expect, test } from "vitest";
import { HpackError } from "./errors.ts";
import { CODE_BITS, CODES, EOS } from "./huffman-code.ts";
import { decodeHuffman, roomToDecode } from "./huffman-decode.ts";
import { encodedBytes, encodeHuffman } from "./huffman-encode.ts";

function encode(text: string): Buffer {
  const target = Buffer.alloc(encodedBytes(text));
  expect(encodeHuffman(text, target, 0)).toBe(target.length);
  return target;
}

function decode(source: Uint8Array): string {
  const target = Buffer.alloc(roomToDecode(source.length));
  return target.toString("latin1", 0, decodeHuffman(source, 0, source.length, target));
}

/** Bits such as "1111 0", padded to whole bytes by what `padding` repeats. */
function packed(bits: string, padding = "1"): Buffer {
  const plain = bits.replaceAll(" ", "");
  const whole = plain.padEnd(Math.ceil(plain.length / 8) * 8, padding);
  return Buffer.from(whole.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
}

const codeOf = (symbol: number) => (CODES[symbol] as number).toString(2).padStart(CODE_BITS[symbol] as number, "0");

test("the code is complete, and each length ends where it does in RFC 7541 Appendix B", () => {
  expect(CODE_BITS.reduce((sum, bits) => sum + 2 ** -bits, 0)).toBe(1);
  // The last symbol of each length.
  const some = { t: 0x9, u: 0x2d, z: 0x7b, Z: 0xfd, "?": 0x3fc, "|": 0x7fc, ">": 0xffb, "~": 0x1ffd, "}": 0x3ffd, "{": 0x7ffe };
  for (const [character, code] of Object.entries(some)) expect(CODES[character.charCodeAt(0)]).toBe(code);
  const others = [
    [208, 0x7fff2],
    [226, 0xfffed],
    [230, 0x1fffe8],
    [233, 0x3fffeb],
    [239, 0x7ffff4],
    [237, 0xfffff5],
    [235, 0x1ffffef],
    [255, 0x3ffffee],
    [254, 0x7fffff0],
    [249, 0xffffffe],
    [22, 0x3ffffffe],
    [EOS, 0x3fffffff],
  ] as const;
  for (const [symbol, code] of others) expect(CODES[symbol]).toBe(code);
});

test("each byte comes back, wherever in a string it is", () => {
  for (let symbol = 0; symbol < EOS; symbol++) {
    for (const before of ["", "0", "00", "0&", "X:", "\n"]) {
      const text = before + String.fromCharCode(symbol) + before;
      const source = encode(text);
      expect(decode(source)).toBe(text);
      expect(source).toEqual(packed([...text].map((character) => codeOf(character.charCodeAt(0))).join("")));
    }
  }
});

test("any string comes back", () => {
  const strings = (min: number, max: number) =>
    fc.array(fc.integer({ min, max }), { maxLength: 300 }).map((codes) => String.fromCharCode(...codes));
  fc.assert(fc.property(fc.oneof(strings(0, 255), strings(32, 126)), (text) => decode(encode(text)) === text));
});

test("decodes only what it is given", () => {
  const source = Buffer.concat([encode("before"), encode("www.example.com"), encode("after")]);
  const start = encodedBytes("before");
  const target = Buffer.alloc(64);
  const written = decodeHuffman(source, start, start + encodedBytes("www.example.com"), target);
  expect(target.toString("latin1", 0, written)).toBe("www.example.com");
});

test("accepts up to seven ones as padding", () => {
  const texts = ["", "0", "00", "000", "0000", "00000", "000000", "0000000"];
  expect(texts.map((text) => text.length * 5).map((bits) => (8 - (bits % 8)) % 8)).toEqual([0, 3, 6, 1, 4, 7, 2, 5]);
  for (const text of texts) expect(decode(packed(codeOf(48).repeat(text.length)))).toBe(text);
});

test.each([
  ["eight bits", packed(`${codeOf(88)} 11111111`)],
  ["eight bits and no text", packed("11111111")],
  ["eleven bits", packed(`${codeOf(48)} 11111111111`)],
  ["29 bits of EOS", packed(codeOf(48).repeat(7) + "1".repeat(29))],
  ["zeroes", packed(codeOf(48), "0")],
  ["a zero at its end", packed(`${codeOf(48)} 110`)],
  ["a zero at its beginning", packed(`${codeOf(48)} 011`)],
  ["a long code that is cut off", packed(codeOf(10)).subarray(0, 3)],
  ["a long code that lacks a bit", packed(codeOf(32) + codeOf(195).slice(0, -1))],
  ["EOS", packed(codeOf(EOS))],
  ["EOS after text", packed(`${codeOf(48)}${codeOf(EOS)}00000`)],
])("refuses %s", (_, source) => {
  expect(() => decode(source)).toThrow(HpackError);
});

test("refuses or decodes any bytes, and encodes what it decoded to the same again", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (source) => {
      let text: string;
      try {
        text = decode(source);
      } catch (error) {
        expect(error).toBeInstanceOf(HpackError);
        return;
      }
      expect(encode(text)).toEqual(Buffer.from(source));
    }),
  );
});

test("cannot encode what is not latin1", () => {
  for (const text of ["Ā", "a\u{1f600}"]) expect(() => encodedBytes(text)).toThrow(TypeError);
});
