import fc from "fast-check";
import { expect, test } from "vitest";
import { HpackDecoder } from "./decoder.ts";
import { type HeaderField, HpackEncoder, type Indexing } from "./encoder.ts";
import { HpackError } from "./errors.ts";
import { STATIC_FIELDS } from "./static-table.ts";

const latin1 = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 60 }).map((codes) => String.fromCharCode(...codes));
const few = fc.constantFrom("", "a", "b", "grpc-timeout", "x".repeat(500), "y".repeat(5000));
const field = fc
  .tuple(
    fc.oneof(few, latin1, fc.constantFrom(...STATIC_FIELDS)),
    fc.oneof(few, latin1, fc.constantFrom(...STATIC_FIELDS)),
    fc.constantFrom<Indexing>("index", "index", "plain", "never"),
  )
  .map((parts): HeaderField => parts);
const tableBytes = fc.oneof(fc.nat(400), fc.nat(6000), fc.constantFrom(0, 4096));
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ fields: fc.array(field, { maxLength: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ tableBytes }) },
);

test("what is encoded is decoded, whatever becomes of the table", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, huffman) => {
      const encoder = new HpackEncoder({ huffman });
      const decoder = new HpackDecoder({ interpret: (fields) => fields, maxListBytes: 1_000_000 });
      let again: { block: Buffer; flat: string[]; version: number } | undefined;
      for (const each of steps) {
        if ("tableBytes" in each) {
          encoder.setPeerTableBytes(each.tableBytes);
        } else {
          const { version } = encoder;
          const block = encoder.encode(each.fields);
          const flat = each.fields.flatMap((one) => one.slice(0, 2));
          expect(decoder.decode(block, 0, block.length)).toEqual(flat);
          if (encoder.version === version) again = { block, flat, version };
        }
        if (again?.version === encoder.version) expect(decoder.decode(again.block, 0, again.block.length)).toEqual(again.flat);
      }
    }),
  );
});

/** A decoder with a few entries. */
function used(): HpackDecoder<string[]> {
  const decoder = new HpackDecoder({ interpret: (fields) => fields });
  const block = new HpackEncoder().encode([
    [":path", "/a", "index"],
    ["x", "y".repeat(100), "index"],
  ]);
  decoder.decode(block, 0, block.length);
  return decoder;
}

function decodesOrRefuses(block: Uint8Array): void {
  const buffer = Buffer.from(block);
  try {
    const fields = used().decode(buffer, 0, buffer.length);
    expect(fields.length % 2).toBe(0);
  } catch (error) {
    if (!(error instanceof HpackError)) throw error;
  }
}

test("any bytes are decoded or refused", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodesOrRefuses), { numRuns: 2000 });
});

test("a good block with a byte changed, or its end cut off, is decoded or refused", () => {
  fc.assert(
    fc.property(fc.array(field, { minLength: 1, maxLength: 6 }), fc.nat(), fc.nat(255), fc.boolean(), (fields, at, byte, cut) => {
      const block = new HpackEncoder().encode(fields);
      const place = at % block.length;
      block[place] = byte;
      decodesOrRefuses(cut ? block.subarray(0, place) : block);
    }),
    { numRuns: 500 },
  );
});
