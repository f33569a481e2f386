import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { COMPRESSIONS, compressed, compressionCode, decompressed, MOST_BYTES } from "./compression.ts";
import { WireError } from "./reader.ts";

const XERIAL_HEADER = Buffer.concat([Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]), Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);
const SNAPPY = compressionCode("snappy");
const prefixed = (block: Buffer) => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(block.length);
  return Buffer.concat([length, block]);
};

test.each(COMPRESSIONS)("%s: what was compressed comes back", (compression) => {
  const data = Buffer.from("abcabcabc".repeat(1_000));
  expect(decompressed(compressionCode(compression), compressed(compression, data)).equals(data)).toBe(true);
});

test("snappy in blocks, as Java's library writes it, comes back whole", () => {
  const blocks = ["first ", "second"].map((text) => prefixed(compressed("snappy", Buffer.from(text))));
  expect(decompressed(SNAPPY, Buffer.concat([XERIAL_HEADER, ...blocks])).toString()).toBe("first second");
});

test.each([
  ["gzip", () => gzipSync(Buffer.alloc(MOST_BYTES + 1))],
  ["zstd", () => zstdCompressSync(Buffer.alloc(MOST_BYTES + 1))],
  // Says that it becomes four gigabytes.
  ["snappy", () => Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00])],
] as const)("%s that would become more than may be is refused", (compression, bomb) => {
  expect(() => decompressed(compressionCode(compression), bomb())).toThrow(WireError);
});

test.each([-4, -1, 0, 1_000_000])("a block of %d bytes is refused", (length) => {
  const block = Buffer.alloc(8);
  block.writeInt32BE(length);
  expect(() => decompressed(SNAPPY, Buffer.concat([XERIAL_HEADER, block]))).toThrow(WireError);
});
