import { expect, test } from "vitest";
import { waitMs } from "./backoff.ts";

test("a wait grows by its factor, two unless another is said, up to the most, and is spread around that", () => {
  const waits = (factor: { factor?: number }, random = 0.5) =>
    [1, 2, 3, 4].map((failures) => waitMs({ firstMs: 10, mostMs: 50, ...factor }, failures, random));
  expect(waits({})).toEqual([10, 20, 40, 50]);
  expect(waits({ factor: 3 })).toEqual([10, 30, 50, 50]);
  expect(waits({ factor: 1 })).toEqual([10, 10, 10, 10]);
  expect(waits({ factor: 1 }, 0)).toEqual([8, 8, 8, 8]);
});

test("after any number of failures it is a number", () => {
  for (const firstMs of [0, 10]) expect(waitMs({ firstMs, mostMs: 50 }, 5_000, 0.5)).toBe(firstMs * 5);
});
