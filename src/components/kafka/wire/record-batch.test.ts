import { crc32c } from "@platformatic/wasm-utils";
import fc from "fast-check";
import { expect, test } from "vitest";
import { COMPRESSIONS } from "./compression.ts";
import { type Aborted, type Recordable, readBatches, type StoredRecord, writeBatch } from "./record-batch.ts";
import { Writer } from "./writer.ts";

const NOW = 1_700_000_000_123;

function written(records: readonly Recordable[], compression: (typeof COMPRESSIONS)[number] = "none"): Buffer {
  const writer = new Writer();
  writer.int8(1);
  writeBatch(writer, records, NOW, compression);
  return Buffer.from(writer.written.subarray(1));
}

/** As the broker gives it back: with its offset. */
function at(offset: number, batch: Buffer): Buffer {
  const placed = Buffer.from(batch);
  placed.writeBigInt64BE(BigInt(offset), 0);
  return placed;
}

function read(bytes: Buffer, from = 0, aborted: readonly Aborted[] = []) {
  const records: StoredRecord[] = [];
  const { next } = readBatches(bytes, from, aborted, (record) => records.push(record));
  return { records, next };
}

const record: fc.Arbitrary<Recordable> = fc
  .record({
    data: fc.uint8Array({ maxLength: 300 }),
    attributes: fc.dictionary(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme", maxLength: 80 })),
    key: fc.option(fc.string({ unit: "grapheme" }), { nil: undefined }),
  })
  .map(({ key, ...rest }) => (key === undefined ? rest : { ...rest, key }));

test.each(COMPRESSIONS)("records come back as they were written, compressed by %s", (compression) => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), fc.nat(2 ** 40), (records, offset) => {
      const found = read(at(offset, written(records, compression)), offset);
      expect(found.next).toBe(offset + records.length);
      for (const [index, one] of found.records.entries()) {
        const { data, attributes, key } = records[index] as Recordable;
        expect(Buffer.compare(one.data, data)).toBe(0);
        expect({ ...one.attributes }).toEqual({ ...attributes });
        expect([one.key, one.offset, one.timestamp]).toEqual([key, offset + index, NOW]);
      }
    }),
    { numRuns: 50 },
  );
});

const some = ["a", "b", "c"].map((text): Recordable => ({ data: Buffer.from(text), attributes: {} }));
const texts = ({ records }: ReturnType<typeof read>) => records.map(({ data }) => Buffer.from(data).toString()).join("");

test("a key that has the replacement character in its text is that text", () => {
  expect(read(written([{ data: Buffer.alloc(0), attributes: {}, key: "\ufffd" }])).records[0]?.key).toBe("\ufffd");
});

test("a batch is read from the middle, and one that was cut off is left", () => {
  const bytes = Buffer.concat([at(10, written(some)), at(13, written(some))]);
  expect(texts(read(bytes, 11))).toBe("bcabc");
  const cut = read(bytes.subarray(0, bytes.length - 1), 10);
  expect([texts(cut), cut.next]).toEqual(["abc", 13]);
  expect(texts(read(bytes.subarray(0, 7), 10))).toBe("");
});

test("bytes that changed on their way are not taken for messages", () => {
  const bytes = at(0, written(some));
  bytes[bytes.length - 3] = (bytes[bytes.length - 3] as number) ^ 1;
  expect(() => read(bytes)).toThrow(/checksum/);
});

/** As a transactional producer writes. */
function transactional(offset: number, producer: number): Buffer {
  const batch = at(offset, written(some));
  batch.writeInt16BE(1 << 4, 21);
  batch.writeBigInt64BE(BigInt(producer), 43);
  return batch;
}

/** Where a transaction ends: aborted (0), or committed (1). */
function marker(offset: number, producer: number, type: 0 | 1): Buffer {
  const writer = new Writer();
  const key = Buffer.from([0, 0, 0, type]);
  writeBatch(writer, [{ data: Buffer.alloc(6), attributes: {}, key: key.toString("latin1") }], NOW, "none");
  const batch = at(offset, Buffer.from(writer.written));
  batch.writeInt16BE((1 << 4) | (1 << 5), 21);
  batch.writeBigInt64BE(BigInt(producer), 43);
  return batch;
}

function checked(...parts: Buffer[]): Buffer {
  for (const part of parts) part.writeUInt32BE(crc32c(part.subarray(21)) >>> 0, 17);
  return Buffer.concat(parts);
}

test("what a transaction wrote that was aborted is not delivered, and what others wrote meanwhile is", () => {
  const parts = [transactional(0, 1), transactional(3, 2), marker(6, 1, 0), transactional(7, 1), marker(10, 1, 1), marker(11, 2, 1)];
  const found = read(checked(...parts), 0, [{ producer: 1, firstOffset: 0 }]);
  expect(found.records.map(({ offset }) => offset)).toEqual([3, 4, 5, 7, 8, 9]);
  expect(found.next).toBe(12);
});

test("a marker that the log cleaner has emptied is passed over", () => {
  const emptied = marker(3, 1, 0).subarray(0, 61);
  emptied.writeInt32BE(emptied.length - 12, 8);
  emptied.writeInt32BE(0, 57);
  const found = read(checked(transactional(0, 2), emptied, transactional(4, 2)), 0, []);
  expect([found.records.length, found.next]).toEqual([6, 7]);
});

test("where more came than is wanted, what was aborted before it says nothing of what is", () => {
  const bytes = checked(transactional(0, 1), marker(3, 1, 0), transactional(4, 1), marker(7, 1, 1));
  const found = read(bytes, 4, [{ producer: 1, firstOffset: 0 }]);
  expect(found.records.map(({ offset }) => offset)).toEqual([4, 5, 6]);
  expect(found.next).toBe(8);
});

/** One record, byte by byte: only another program writes such. */
function foreign(key: Buffer | undefined, value: Buffer | undefined, headers: readonly (readonly [string, string | undefined])[]): Buffer {
  const body = new Writer().int8(0).int8(0).varint(0);
  const bytes = (one: Buffer | undefined) => (one === undefined ? body.varint(-1) : body.varint(one.length).raw(one));
  bytes(key);
  bytes(value);
  body.varint(headers.length);
  for (const [name, text] of headers) {
    bytes(Buffer.from(name));
    bytes(text === undefined ? undefined : Buffer.from(text));
  }
  return Buffer.concat([Buffer.from(new Writer().varint(body.length).written), body.written]);
}

test("another program's record without a value is its fields, its bytes for a key are hexadecimal, and of a header that repeats the last counts", () => {
  const records = foreign(Buffer.from([0xff, 0x01]), undefined, [
    ["h", "1"],
    ["h", "2"],
    ["empty", undefined],
    ["__proto__", "p"],
  ]);
  const batch = Buffer.concat([written(some.slice(0, 1)).subarray(0, 61), records]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeUInt32BE(crc32c(batch.subarray(21)) >>> 0, 17);
  const [one] = read(batch).records;
  expect(one?.key).toBe("0xff01");
  expect(Object.entries(one?.attributes ?? {})).toEqual([
    ["h", "2"],
    ["empty", ""],
    ["__proto__", "p"],
  ]);
  expect(JSON.parse(Buffer.from(one?.data ?? []).toString())).toMatchObject({ key: "0xff01", headers: { h: "2" } });
});
