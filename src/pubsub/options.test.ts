import { expect, test } from "vitest";
import { bytes, count, duration, flag, oneOf, parseBytes, parseDuration, secondsOrDuration } from "./options.ts";

test.each([
  ["15s", 15_000],
  ["1h30m", 5_400_000],
  ["250ms", 250],
  ["1.5s", 1_500],
  ["60", 60],
  ["", undefined],
  ["15 seconds", undefined],
  ["-1s", undefined],
])("the duration %j is %j ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  ["64MiB", 67_108_864],
  ["256KB", 256_000],
  ["17", 17],
  ["1 gib", 1_073_741_824],
  ["lots", undefined],
])("the size %j is %j bytes", (text, size) => {
  expect(parseBytes(text)).toBe(size);
});

test("Layotto's strings and typed scalars mean the same", () => {
  expect([duration().parse("2s"), duration().parse(2_000)]).toEqual([2_000, 2_000]);
  expect([bytes().parse("1KiB"), bytes().parse(1_024)]).toEqual([1_024, 1_024]);
  expect([count().parse("7"), count().parse(7)]).toEqual([7, 7]);
  expect([flag().parse("TRUE"), flag().parse(true), flag().parse("0")]).toEqual([true, true, false]);
  expect(oneOf(["node", "cluster"]).parse("Cluster")).toBe("cluster");
});

test.each([
  ["10", 10_000],
  [0.5, 500],
  ["1m30s", 90_000],
  ["250ms", 250],
  ["601", undefined],
  ["10 seconds", undefined],
  [-1, undefined],
  [true, undefined],
])("where a bare number is seconds %j is %j ms", (value, ms) => {
  expect(secondsOrDuration(600_000).safeParse(value).data).toBe(ms);
});

test.each([
  [["t", "Yes", "y", "ON", "1", " true "], true],
  [["f", "No", "n", "OFF", "0", "false"], false],
  [["", "2", "truth"], undefined],
])("%j are %j as Go and Dapr write it", (texts, value) => {
  for (const text of texts) expect(flag().safeParse(text).data).toBe(value);
});

test("an error says what was expected", () => {
  const found = count(1, 65_535).safeParse("many");
  expect(found.error?.issues.map((issue) => issue.message)).toEqual(["expected a whole number from 1 to 65535"]);
});
