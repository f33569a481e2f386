import { expect, test } from "vitest";
import { PUBLISHING } from "../conformance/engine/policy.ts";
import { withOwn } from "./own.ts";

test("what is said for one stands before what holds for all, within retry word by word", () => {
  const all = { ...PUBLISHING, rate: 5, breaker: { failures: 3, pauseMs: 1 } };
  expect(withOwn(all, { timeoutMs: 1, retry: { maxFailures: 2 } })).toEqual({
    ...all,
    timeoutMs: 1,
    retry: { ...PUBLISHING.retry, maxFailures: 2 },
  });
  expect(withOwn(all, {})).toEqual(all);
});

test("a first wait that is longer than the longest is the longest", () => {
  expect(withOwn(PUBLISHING, { retry: { firstMs: 120_000 } }).retry).toMatchObject({ firstMs: 120_000, mostMs: 120_000 });
});
