import { isUtf8 } from "node:buffer";
import { crc32c } from "@platformatic/wasm-utils";
import { type Compression, compressed, compressionCode, decompressed } from "./compression.ts";
import { Reader, WireError } from "./reader.ts";
import { varintSize, Writer } from "./writer.ts";

/** Bytes before the records of a batch. */
const HEADER_BYTES = 61;
/** Where a batch's length is, and what that counts from. */
const LENGTH_AT = 8;
const LENGTH_FROM = 12;
const COUNT_AT = 57;
const CRC_AT = 17;
/** What the checksum covers begins here. */
const CHECKED_FROM = 21;
const MAGIC = 2;
const COMPRESSION = 0b111;
const LOG_APPEND_TIME = 1 << 3;
const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;
const ABORT = 0;

/** What a record is made of. */
export interface Recordable {
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
}

/** Lengths of the names and values of the record that is being written. */
const lengths: number[] = [];

/** Appends one batch with these records, all of them created `now`. */
export function writeBatch(writer: Writer, records: readonly Recordable[], now: number, compression: Compression): void {
  const start = writer.skip(HEADER_BYTES);
  if (compression === "none") writeRecords(writer, records);
  else {
    const plain = new Writer();
    writeRecords(plain, records);
    writer.raw(compressed(compression, plain.written));
  }
  const batch = writer.written.subarray(start);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - LENGTH_FROM, LENGTH_AT);
  batch.writeInt32BE(-1, 12);
  batch[16] = MAGIC;
  batch.writeInt16BE(compressionCode(compression), 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(now), 27);
  batch.writeBigInt64BE(BigInt(now), 35);
  // Not an idempotent producer: what is sent again is sent by the engine, in another batch.
  batch.fill(0xff, 43, 57);
  batch.writeInt32BE(records.length, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(CHECKED_FROM)) >>> 0, CRC_AT);
}

function writeRecords(writer: Writer, records: readonly Recordable[]): void {
  for (let index = 0; index < records.length; index++) writeRecord(writer, records[index] as Recordable, index);
}

function writeRecord(writer: Writer, { data, attributes, key }: Recordable, index: number): void {
  const keyBytes = key === undefined ? -1 : utf8Length(key);
  let count = 0;
  let size = 2 + varintSize(index) + varintSize(keyBytes) + Math.max(0, keyBytes) + varintSize(data.length) + data.length;
  for (const name in attributes) {
    const nameBytes = utf8Length(name);
    const valueBytes = utf8Length(attributes[name] as string);
    size += varintSize(nameBytes) + nameBytes + varintSize(valueBytes) + valueBytes;
    lengths[2 * count] = nameBytes;
    lengths[2 * count + 1] = valueBytes;
    count += 1;
  }
  size += varintSize(count);
  writer.varint(size).int8(0).int8(0).varint(index).varint(keyBytes);
  if (key !== undefined) writer.utf8(key, keyBytes);
  writer.varint(data.length).raw(data).varint(count);
  let at = 0;
  for (const name in attributes) {
    const nameBytes = lengths[at++] as number;
    const valueBytes = lengths[at++] as number;
    writer.varint(nameBytes).utf8(name, nameBytes);
    writer.varint(valueBytes).utf8(attributes[name] as string, valueBytes);
  }
}

/** As Buffer.byteLength, and cheaper for short texts of ASCII. */
function utf8Length(text: string): number {
  const { length } = text;
  if (length > 40) return Buffer.byteLength(text);
  for (let index = 0; index < length; index++) if (text.charCodeAt(index) > 127) return Buffer.byteLength(text);
  return length;
}

/** A record as it came, its bytes its own. */
export interface StoredRecord {
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: string | undefined;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A transaction that was aborted: what `producer` wrote from `firstOffset` on does not count. */
export interface Aborted {
  readonly producer: number;
  readonly firstOffset: number;
}

/** What became of reading a partition's bytes. */
export interface Batches {
  /** Where to read on. */
  readonly next: number;
  /** The leader's epoch of the last batch; -1: there was none. */
  readonly epoch: number;
}

/**
 * Calls `take` for the records from `from` on, in their order, without control records and aborted transactions. A batch that the broker cut
 * off at its limit is left for the next fetch. Throws a WireError when the bytes are not those that were written.
 */
export function readBatches(bytes: Buffer, from: number, aborted: readonly Aborted[], take: (record: StoredRecord) => void): Batches {
  const aborting = new Set<number>();
  const coming = aborted.length > 1 ? [...aborted].sort((a, b) => a.firstOffset - b.firstOffset) : aborted;
  let comingAt = 0;
  let next = from;
  let epoch = -1;
  for (let at = 0; at + LENGTH_FROM <= bytes.length; ) {
    const end = at + LENGTH_FROM + bytes.readInt32BE(at + LENGTH_AT);
    if (end > bytes.length) break;
    const batch = bytes.subarray(at, end);
    at = end;
    if (batch[16] !== MAGIC)
      throw new WireError(`expected record batches of format ${MAGIC}, found ${batch[16]}: written before Kafka 0.11`);
    if (crc32c(batch.subarray(CHECKED_FROM)) >>> 0 !== batch.readUInt32BE(CRC_AT)) {
      throw new WireError(`the checksum of the batch at offset ${Number(batch.readBigInt64BE(0))} is wrong`);
    }
    const first = Number(batch.readBigInt64BE(0));
    const last = first + batch.readInt32BE(23);
    const attributes = batch.readInt16BE(21);
    const producer = Number(batch.readBigInt64BE(43));
    for (let one = coming[comingAt]; one && one.firstOffset <= last; one = coming[++comingAt]) aborting.add(one.producer);
    if (attributes & CONTROL) {
      // The log cleaner empties markers, and keeps some for the sake of their producers.
      if (batch.readInt32BE(COUNT_AT) > 0 && isAbort(batch)) aborting.delete(producer);
    } else if (last >= from && !(attributes & TRANSACTIONAL && aborting.has(producer))) readRecords(batch, first, attributes, from, take);
    // More may come than was asked for: what is before it still says which transactions count.
    if (last < from) continue;
    next = last + 1;
    epoch = batch.readInt32BE(12);
  }
  return { next, epoch };
}

function readRecords(batch: Buffer, first: number, attributes: number, from: number, take: (record: StoredRecord) => void): void {
  const code = attributes & COMPRESSION;
  const plain = batch.subarray(HEADER_BYTES);
  const reader = new Reader(code === 0 ? plain : decompressed(code, plain));
  const baseTime = Number(batch.readBigInt64BE(27));
  const appendTime = attributes & LOG_APPEND_TIME ? Number(batch.readBigInt64BE(35)) : undefined;
  for (let left = batch.readInt32BE(COUNT_AT); left > 0; left--) {
    const length = reader.varint();
    const end = reader.position + length;
    reader.skip(1);
    const timestamp = baseTime + reader.varlong();
    const offset = first + reader.varint();
    if (offset >= from) take(readRecord(reader, offset, appendTime ?? timestamp));
    reader.position = end;
  }
}

const NO_ATTRIBUTES: Readonly<Record<string, string>> = Object.freeze({});

function readRecord(reader: Reader, offset: number, timestamp: number): StoredRecord {
  const { buffer } = reader;
  const keyBytes = reader.varint();
  const keyAt = reader.position;
  if (keyBytes > 0) reader.skip(keyBytes);
  const valueBytes = reader.varint();
  const valueAt = reader.position;
  if (valueBytes > 0) reader.skip(valueBytes);
  const attributes = readAttributes(reader);
  const key = keyBytes < 0 ? undefined : keyText(buffer, keyAt, keyAt + keyBytes);
  const data = valueBytes < 0 ? withoutValue(key, attributes) : copyOf(buffer, valueAt, valueBytes);
  return { offset, timestamp, key, data, attributes };
}

/** A view would keep all that came with it in memory, for as long as the message waits. */
function copyOf(buffer: Buffer, at: number, length: number): Uint8Array {
  const copy = Buffer.allocUnsafe(length);
  buffer.copy(copy, 0, at, at + length);
  return copy;
}

/** Of a name that stands there twice, the last value counts. */
function readAttributes(reader: Reader): Readonly<Record<string, string>> {
  const count = reader.varint();
  if (count <= 0) return NO_ATTRIBUTES;
  const attributes: Record<string, string> = {};
  for (let left = count; left > 0; left--) {
    const name = readText(reader);
    const value = readText(reader);
    if (name === "__proto__") Object.defineProperty(attributes, name, { value, enumerable: true, configurable: true, writable: true });
    else attributes[name] = value;
  }
  return attributes;
}

function readText(reader: Reader): string {
  const bytes = reader.varint();
  if (bytes <= 0) return "";
  const at = reader.position;
  reader.skip(bytes);
  return text(reader.buffer, at, bytes);
}

function text(buffer: Buffer, at: number, bytes: number): string {
  return buffer.toString("utf8", at, at + bytes);
}

/** Keys are bytes. Those that are no text are shown in hexadecimal, so that different ones stay different. */
function keyText(buffer: Buffer, from: number, to: number): string {
  const key = buffer.toString("utf8", from, to);
  return !key.includes("\ufffd") || isUtf8(buffer.subarray(from, to)) ? key : `0x${buffer.toString("hex", from, to)}`;
}

/** Another program's record without a value: its fields are what there is to deliver. */
function withoutValue(key: string | undefined, attributes: Readonly<Record<string, string>>): Uint8Array {
  return Buffer.from(JSON.stringify({ ...(key !== undefined && { key }), headers: attributes }));
}

function isAbort(batch: Buffer): boolean {
  const reader = new Reader(batch, HEADER_BYTES);
  reader.varint();
  reader.skip(1);
  reader.varlong();
  reader.varint();
  reader.varint();
  reader.skip(2);
  return reader.int16() === ABORT;
}
