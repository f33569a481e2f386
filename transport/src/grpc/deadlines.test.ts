import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Deadlines, type Timed } from "./deadlines.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

class One implements Timed {
  readonly deadline: number;
  place = -1;
  struckAt: number[] = [];
  striking: (() => void) | undefined;

  constructor(inMs: number) {
    this.deadline = Date.now() + inMs;
  }

  onDeadline(): void {
    this.struckAt.push(Date.now());
    this.striking?.();
  }
}

test("each strikes once, in its time, unless it was removed before", () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: -5, max: 500 }) }),
    fc.record({ remove: fc.nat() }),
    fc.record({ wait: fc.integer({ min: 0, max: 100 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const deadlines = new Deadlines();
      const ones: One[] = [];
      const removed = new Set<One>();
      for (const one of steps) {
        if ("add" in one) {
          const made = new One(one.add);
          ones.push(made);
          deadlines.add(made);
        } else if ("wait" in one) vi.advanceTimersByTime(one.wait);
        else {
          const some = ones[one.remove % Math.max(1, ones.length)];
          if (some === undefined) continue;
          if (some.struckAt.length === 0) removed.add(some);
          deadlines.remove(some);
        }
      }
      vi.advanceTimersByTime(600);
      for (const one of ones) {
        if (removed.has(one)) expect(one.struckAt).toEqual([]);
        else {
          expect(one.struckAt).toHaveLength(1);
          expect(one.struckAt[0]).toBeGreaterThanOrEqual(one.deadline);
        }
        expect(one.place).toBe(-1);
      }
      expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
    }),
  );
});

test("what strikes may remove and add others", () => {
  const deadlines = new Deadlines();
  const [first, second, later] = [new One(10), new One(10), new One(30)];
  first.striking = () => {
    deadlines.remove(second);
    deadlines.add(later);
  };
  deadlines.add(first);
  deadlines.add(second);
  vi.advanceTimersByTime(50);
  expect([first, second, later].map(({ struckAt }) => struckAt.length)).toEqual([1, 0, 1]);
});

test("a deadline further away than any timer goes", () => {
  const deadlines = new Deadlines();
  const far = new One(2 ** 32);
  deadlines.add(far);
  vi.advanceTimersByTime(2 ** 32 - 1);
  expect(far.struckAt).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(far.struckAt).toHaveLength(1);
});
