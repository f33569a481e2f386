import { expect, test } from "vitest";
import { fnv1a, murmur2, partitionOf } from "./partitioner.ts";

/** From the tests of Java's own client. */
const KNOWN: readonly (readonly [string, number])[] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
];

test.each(KNOWN)("the hash of %s is that of Java's client", (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash);
});

test.each([
  ["", 0x811c9dc5],
  ["a", 0xe40c292c],
  ["foobar", 0xbf9cf968],
])("the hash of %j is that of FNV-1a", (text, hash) => {
  expect(fnv1a(Buffer.from(text))).toBe(hash);
});

test("the partition is Sarama's, which takes the hash for a signed number and drops the sign of what is left", () => {
  // As Go computes it: int32(0xbf9cf968) % 7 is -4.
  expect(partitionOf("foobar", [0, 0, 0, 0, 0, 0, 0], 0, "fnv1a")).toBe(4);
  expect(partitionOf("foobar", [0, 0, 0, 0, 0, 0, 0], 0)).toBe((murmur2(Buffer.from("foobar")) & 0x7fffffff) % 7);
});

test("a key has its partition, whoever leads it, and messages without one go where somebody does", () => {
  const leaders = [1, -1, 2];
  const [key] = ["a", "b", "c", "d", "e"].filter((one) => partitionOf(one, [1, 1, 1], 0) === 1);
  expect(partitionOf(key, leaders, 0)).toBe(1);
  expect([0, 1, 2, 3].map((turn) => partitionOf(undefined, leaders, turn))).toEqual([0, 2, 2, 0]);
  expect(partitionOf(undefined, [-1, -1], 3)).toBe(1);
});
