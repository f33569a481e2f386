import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { lz4Compress, lz4Decompress, snappyCompress, snappyDecompress } from "@platformatic/wasm-utils";
import { Reader, WireError } from "./reader.ts";

export const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** Before what Java's library for Snappy writes: several blocks, each with its length. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;
/** What a batch may become at most: a few bytes can be said to be gigabytes. LZ4 makes 255 times of what there is at most. */
export const MOST_BYTES = 128 * 2 ** 20;
const LIMIT = { maxOutputLength: MOST_BYTES };

const CODECS: Readonly<Record<Compression, readonly [compress: (data: Buffer) => Buffer, decompress: (data: Buffer) => Buffer]>> = {
  none: [(data) => data, (data) => data],
  gzip: [gzipSync, (data) => gunzipSync(data, LIMIT)],
  snappy: [snappyCompress, unsnappy],
  lz4: [lz4Compress, lz4Decompress],
  zstd: [zstdCompressSync, (data) => zstdDecompressSync(data, LIMIT)],
};

/** The number by which a batch names it. */
export const compressionCode = (compression: Compression): number => COMPRESSIONS.indexOf(compression);

export function compressed(compression: Compression, data: Buffer): Buffer {
  return CODECS[compression][0](data);
}

export function decompressed(code: number, data: Buffer): Buffer {
  const compression = COMPRESSIONS[code];
  if (compression === undefined) throw new WireError(`expected a compression from 0 to ${COMPRESSIONS.length - 1}, found ${code}`);
  try {
    return CODECS[compression][1](data);
  } catch (error) {
    throw new WireError(
      `what is said to be compressed by ${compression} is not: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function unsnappy(data: Buffer): Buffer {
  if (!data.subarray(0, XERIAL.length).equals(XERIAL)) return unsnappyBlock(data, MOST_BYTES);
  const blocks: Buffer[] = [];
  let left = MOST_BYTES;
  for (let at = XERIAL_HEADER_BYTES; at < data.length; ) {
    const end = at + 4 + data.readInt32BE(at);
    if (end <= at + 4 || end > data.length)
      throw new WireError(`expected a block that ends within ${data.length} bytes, found one up to ${end}`);
    const block = unsnappyBlock(data.subarray(at + 4, end), left);
    left -= block.length;
    blocks.push(block);
    at = end;
  }
  return Buffer.concat(blocks);
}

/** It begins with how long it becomes. */
function unsnappyBlock(block: Buffer, most: number): Buffer {
  const length = new Reader(block).uvarint();
  if (length > most) throw new WireError(`expected at most ${most} bytes, found ${length}`);
  return snappyDecompress(block);
}
