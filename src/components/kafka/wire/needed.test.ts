import { expect, test } from "vitest";
import type { ApiRange } from "./cluster-apis.ts";
import { produce, produceBefore8 } from "./log-apis.ts";
import { lacking } from "./needed.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** Kafka 4.0's, of what is needed. */
const KAFKA_4: readonly ApiRange[] = [
  [0, 3, 12],
  [1, 4, 17],
  [2, 1, 10],
  [3, 0, 13],
  [8, 2, 9],
  [9, 1, 9],
  [10, 0, 6],
  [11, 2, 9],
  [12, 0, 4],
  [13, 0, 5],
  [14, 0, 5],
].map(([key = 0, oldest = 0, newest = 0]) => ({ key, oldest, newest }));

test("a broker that lacks what is needed is told so, instead of being asked until it hangs up", () => {
  expect(lacking(KAFKA_4)).toBeUndefined();
  const with2 = (key: number, newest: number) => KAFKA_4.map((one) => (one.key === key ? { ...one, newest } : one));
  expect(lacking(with2(3, 8))).toBe("it speaks Metadata in versions 0 to 8, and not 11");
  expect(lacking(with2(1, 6))).toBe("it speaks Fetch in versions 4 to 6, and not 11");
  expect(lacking(KAFKA_4.filter(({ key }) => key !== 11))).toBe("it does not speak JoinGroup");
  // Redpanda's.
  expect([lacking(with2(0, 7)), lacking(with2(2, 4))]).toEqual([undefined, undefined]);
});

test.each([produce, produceBefore8])("an answer to Produce of version $version", (api) => {
  const writer = new Writer();
  writer.array(["t"], (topic) =>
    writer.string(topic).array([3, 4], (partition) => {
      writer.int32(partition).int16(87).int64(7).int64(-1).int64(0);
      if (api.version >= 8) writer.array([0], (index) => writer.int32(index).nullableString("no key")).nullableString(undefined);
    }),
  );
  writer.int32(250);
  const message = api.version >= 8 ? "no key" : undefined;
  const reader = new Reader(Buffer.from(writer.written));
  expect(api.read(reader)).toEqual([3, 4].map((partition) => ({ topic: "t", partition, error: 87, firstOffset: 7, message })));
  expect(reader.throttleMs).toBe(250);
});
