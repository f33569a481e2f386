import fc from "fast-check";
import { expect, test } from "vitest";
import { formatTimeout, parseTimeout } from "./timeout.ts";

test.for([
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["3S", 3_000],
  ["4m", 4],
  ["5u", 0.005],
  ["6n", 0.000_006],
  ["99999999H", 99_999_999 * 3_600_000],
  ["00000001S", 1_000],
] as const)("%s", ([text, ms]) => {
  expect(parseTimeout(text)).toBeCloseTo(ms, 9);
});

test.for(["", "S", "1", "1s", "1h", "1 S", " 1S", "1S ", "-1S", "+1S", "1.5S", "1e3S", "0x1S", "123456789S", "1SS", "1constructor", "1_"])(
  "%j is no timeout",
  (text) => {
    expect(parseTimeout(text)).toBeUndefined();
  },
);

test("what is written can be read, and is never shorter than what was meant", () => {
  fc.assert(
    fc.property(fc.double({ min: -10, max: 1e13, noNaN: true }), (ms) => {
      const text = formatTimeout(ms);
      expect(text).toMatch(/^\d{1,8}[mSH]$/);
      expect(parseTimeout(text)).toBeGreaterThanOrEqual(ms);
    }),
  );
});

test("what is longer than any timeout is the longest", () => {
  expect(formatTimeout(Number.POSITIVE_INFINITY)).toBe("99999999H");
});

test("what is over has the least that can be said", () => {
  expect([formatTimeout(0), formatTimeout(-5), formatTimeout(0.2)]).toEqual(["1m", "1m", "1m"]);
});
