import fc from "fast-check";
import { expect, test } from "vitest";
import { pack, unpack } from "./packing.ts";

const sizes = fc.array(fc.oneof(fc.nat(200), fc.integer({ min: 15_000, max: 70_000 })), { maxLength: 20 });

test("parts come out as they went in, small and large, whoever owned them", () => {
  fc.assert(
    fc.property(sizes, fc.boolean(), (all, owned) => {
      const parts = all.map((size, index) => new Uint8Array(size).fill(index + 1));
      const copies = parts.map((part) => part.slice());
      expect(unpack(all, pack(parts, owned)).every((part, index) => Buffer.compare(part, copies[index] as Uint8Array) === 0)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("a large part that is owned is not copied, and a small one never shares a buffer with it", () => {
  const large = new Uint8Array(100_000);
  const buffers = pack([new Uint8Array(10), large, new Uint8Array(10)], true);
  expect(buffers.map(({ byteLength }) => byteLength)).toEqual([10, 100_000, 10]);
  expect(buffers[1]).toBe(large.buffer);
});
