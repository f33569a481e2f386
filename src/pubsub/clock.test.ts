import { afterEach, expect, test, vi } from "vitest";
import { systemClock } from "./clock.ts";

const DAY_MS = 86_400_000;

afterEach(() => {
  vi.useRealTimers();
});

test("a wait of a year is a year, and is called off in any of its days", () => {
  vi.useFakeTimers();
  const fired: string[] = [];
  systemClock.after(365 * DAY_MS, () => fired.push("a"));
  const cancel = systemClock.after(365 * DAY_MS, () => fired.push("b"));
  vi.advanceTimersByTime(364 * DAY_MS);
  cancel();
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(DAY_MS);
  expect(fired).toEqual(["a"]);
  vi.advanceTimersByTime(365 * DAY_MS);
  expect([fired, vi.getTimerCount()]).toEqual([["a"], 0]);
});

test("a fraction of a millisecond is waited for too", () => {
  vi.useFakeTimers();
  let fired = false;
  systemClock.after(300.7, () => {
    fired = true;
  });
  vi.advanceTimersByTime(300);
  expect(fired).toBe(false);
  vi.advanceTimersByTime(1);
  expect(fired).toBe(true);
});
