import fc from "fast-check";
import { expect, test } from "vitest";
import { assign, type MemberSubscription, readAssignment, readSubscription, writeAssignment, writeSubscription } from "./assignor.ts";

type Owned = Readonly<Record<string, readonly number[]>>;

function members(owned: Owned, topics: readonly string[] = ["t"]): Map<string, MemberSubscription> {
  return new Map(Object.entries(owned).map(([name, partitions]) => [name, { topics, owned: [{ topic: "t", partitions }], generation: 1 }]));
}

function shares(owned: Owned, count: number): Owned {
  const assigned = assign(members(owned), new Map([["t", count]]));
  return Object.fromEntries([...assigned].map(([name, list]) => [name, list.flatMap(({ partitions }) => partitions)]));
}

test("everybody keeps what it has as long as that is even", () => {
  expect(shares({ a: [3, 1], b: [0, 2] }, 4)).toEqual({ a: [1, 3], b: [0, 2] });
});

test("what moves is given to nobody before its owner has given it up", () => {
  expect(shares({ a: [0, 1, 2, 3], b: [] }, 4)).toEqual({ a: [0, 1], b: [] });
  expect(shares({ a: [0, 1], b: [] }, 4)).toEqual({ a: [0, 1], b: [2, 3] });
});

test("of two who say that they have a partition, who got it later has it", () => {
  const both = members({ old: [0], new: [0] });
  both.set("new", { topics: ["t"], owned: [{ topic: "t", partitions: [0] }], generation: 2 });
  expect(assign(both, new Map([["t", 1]])).get("new")).toEqual([{ topic: "t", partitions: [0] }]);
});

test("each topic is shared among those who read it", () => {
  const all = new Map<string, MemberSubscription>([
    ["a", { topics: ["t"], owned: [], generation: -1 }],
    ["b", { topics: ["u"], owned: [], generation: -1 }],
    ["c", { topics: ["t", "u"], owned: [], generation: -1 }],
  ]);
  const assigned = assign(
    all,
    new Map([
      ["t", 2],
      ["u", 2],
      ["v", 2],
    ]),
  );
  expect(assigned.get("a")?.map(({ topic }) => topic)).toEqual(["t"]);
  expect(assigned.get("b")?.map(({ topic }) => topic)).toEqual(["u"]);
  expect(assigned.get("c")?.map(({ topic, partitions }) => [topic, partitions.length])).toEqual([
    ["t", 1],
    ["u", 1],
  ]);
});

test("no partition is ever with two; after two rounds all are shared evenly, and as few as possible have moved", () => {
  const scene = fc.record({
    count: fc.integer({ min: 0, max: 30 }),
    owners: fc.array(fc.nat(9), { minLength: 30, maxLength: 30 }),
    readers: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(scene, ({ count, owners, readers }) => {
      const before: Record<string, number[]> = Object.fromEntries(Array.from({ length: readers }, (_, index) => [`m${index}`, []]));
      for (let index = 0; index < count; index++) before[`m${owners[index]}`]?.push(index);
      const first = shares(before, count);
      for (const partitions of Object.values(first))
        for (const index of partitions)
          expect(
            Object.values(first)
              .flat()
              .filter((one) => one === index),
          ).toHaveLength(1);
      for (const [name, partitions] of Object.entries(first)) {
        for (const index of partitions)
          expect(Object.entries(before).some(([other, had]) => other !== name && had.includes(index))).toBe(false);
      }
      const second = shares(first, count);
      const sizes = Object.values(second).map(({ length }) => length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      expect(
        Object.values(second)
          .flat()
          .sort((a, b) => a - b),
      ).toEqual(Array.from({ length: count }, (_, index) => index));
      for (const [name, partitions] of Object.entries(first)) for (const index of partitions) expect(second[name]).toContain(index);
      const least = Math.floor(count / readers);
      for (const [name, had] of Object.entries(before))
        expect(first[name]?.filter((one) => had.includes(one)).length).toBeGreaterThanOrEqual(Math.min(had.length, least));
    }),
  );
});

test("subscriptions and assignments are read as they were written", () => {
  const subscription: MemberSubscription = { topics: ["t", "ü"], owned: [{ topic: "t", partitions: [0, 7] }], generation: 12 };
  expect(readSubscription(writeSubscription(subscription))).toEqual(subscription);
  const assignment = [{ topic: "t", partitions: [1, 2] }];
  expect(readAssignment(writeAssignment(assignment))).toEqual(assignment);
  expect(readAssignment(Buffer.alloc(0))).toEqual([]);
});

test("what older clients write is understood", () => {
  // Version 0: topics and the strategy's own data, which for an older client of Java is the generation.
  const old = Buffer.from([0, 0, 0, 0, 0, 1, 0, 1, 0x74, 0, 0, 0, 4, 0, 0, 0, 9]);
  expect(readSubscription(old)).toEqual({ topics: ["t"], owned: [], generation: 9 });
});
