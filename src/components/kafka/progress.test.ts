import fc from "fast-check";
import { expect, test } from "vitest";
import { readMarks, SEAL_LENGTH, sealed, unsealed, writeMarks } from "./marks.ts";
import { DONE, type Mark, Progress } from "./progress.ts";

const ID = "0123456789abcdef0123456789abcdef";

interface One {
  readonly offset: number;
  failures: number;
  settled: boolean;
}

/** Reads as a partition does: what was settled before is not read again. */
function read(progress: Progress<One>, offset: number): One | undefined {
  const failures = progress.known(offset);
  if (failures === DONE) {
    progress.readTo(offset + 1);
    return undefined;
  }
  const one: One = { offset, failures, settled: false };
  progress.add(one);
  return one;
}

function settle(progress: Progress<One>, one: One): void {
  one.settled = true;
  progress.settled();
}

/** What the next owner of the partition is told. */
function handedOver(progress: Progress<One>, mostBytes = 4_096): Progress<One> {
  const { text } = writeMarks(ID, progress.first, progress.marks(), mostBytes);
  expect(text.length).toBeLessThanOrEqual(mostBytes);
  return new Progress(progress.first, readMarks(progress.first, text));
}

const history = fc.record({
  start: fc.integer({ min: 0, max: 1_000_000 }),
  /** The distance to the next offset: logs have holes. */
  gaps: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 200 }),
  settled: fc.array(fc.nat(199), { maxLength: 300 }),
  failed: fc.array(fc.tuple(fc.nat(199), fc.integer({ min: 1, max: 1_000 })), { maxLength: 50 }),
});

test("whoever takes over reads exactly what was not settled, in order, with its failures", () => {
  fc.assert(
    fc.property(history, fc.nat(200), ({ start, gaps, settled, failed }, again) => {
      const progress = new Progress<One>(start);
      const all = gaps.map((_, index) => start + gaps.slice(0, index).reduce((sum, gap) => sum + gap, 0));
      const ones = all.map((offset) => read(progress, offset) as One);
      for (const [index, failures] of failed) {
        const one = ones[index];
        if (one) one.failures = failures;
      }
      for (const index of settled) {
        const one = ones[index];
        if (one && !one.settled) settle(progress, one);
      }
      const open = ones.filter((one) => !one.settled);
      expect(progress.open).toEqual(open);
      expect(progress.first).toBe(open[0]?.offset ?? progress.next);
      const next = handedOver(progress);
      const offsets = all.filter((offset) => offset >= next.next);
      expect(next.unsettled(progress.next)).toBe(progress.unsettled(progress.next) + holes(next, all, progress.next));
      // Handed over once more in the midst of reading: nothing is forgotten that was not read yet.
      const first = offsets.slice(0, again).flatMap((offset) => read(next, offset) ?? []);
      const last = handedOver(next);
      const rest = all.filter((offset) => offset >= last.next).flatMap((offset) => read(last, offset) ?? []);
      expect(rest.map(({ offset, failures }) => [offset, failures])).toEqual(open.map(({ offset, failures }) => [offset, failures]));
      expect(first.every(({ offset }) => open.some((one) => one.offset === offset))).toBe(true);
    }),
  );
});

/** Offsets that no message has, and that the next owner cannot know before it has read on. */
function holes(progress: Progress<One>, all: readonly number[], end: number): number {
  const marks = progress.marks().filter(({ failures }) => failures === DONE);
  let count = 0;
  for (let offset = progress.next; offset < end; offset++) {
    if (!all.includes(offset) && !marks.some(({ from, to }) => from <= offset && offset < to)) count += 1;
  }
  return count;
}

test("what does not fit is forgotten from the far end, and only that", () => {
  const progress = new Progress<One>(0);
  const ones = Array.from({ length: 10_000 }, (_, offset) => read(progress, offset) as One);
  for (const one of ones) if (one.offset % 2 === 1) settle(progress, one);
  const { text, whole } = writeMarks(ID, progress.first, progress.marks(), 400);
  expect(whole).toBe(false);
  expect(text.length).toBeLessThanOrEqual(400);
  const next = new Progress<One>(0, readMarks(0, text));
  const again = ones.flatMap(({ offset }) => read(next, offset) ?? []).map(({ offset }) => offset);
  const forgotten = again.find((offset) => offset % 2 === 1) ?? Number.POSITIVE_INFINITY;
  // One byte for each run, and four characters for three bytes.
  expect(forgotten).toBeGreaterThan(250);
  expect(again.filter((offset) => offset < forgotten)).toEqual(
    ones.map(({ offset }) => offset).filter((offset) => offset % 2 === 0 && offset < forgotten),
  );
});

test("a window of a thousand fits, whatever was settled in it", () => {
  const progress = new Progress<One>(5_000_000_000);
  const ones = Array.from({ length: 2_000 }, (_, index) => read(progress, 5_000_000_000 + index) as One);
  for (const one of ones) if (one.offset % 2 === 1) settle(progress, one);
  expect(writeMarks(ID, progress.first, progress.marks(), 4_096).whole).toBe(true);
});

test("however long a run is, it is recorded", () => {
  const marks = [{ from: 1, to: 3_000_000_001, failures: DONE }];
  const { text, whole } = writeMarks(ID, 0, marks, 4_096);
  const again = new Progress<One>(0, readMarks(0, text));
  expect([whole, again.known(0), again.known(1), again.known(2_999_999_999), again.known(3_000_000_001)]).toEqual([true, 0, DONE, DONE, 0]);
});

test("a message that fails for ever lets the others go on in bounded memory", () => {
  const progress = new Progress<One>(0);
  read(progress, 0);
  for (let offset = 1; offset <= 100_000; offset++) settle(progress, read(progress, offset) as One);
  expect(progress.first).toBe(0);
  expect(progress.marks()).toEqual([{ from: 1, to: 100_001, failures: DONE }]);
  expect(JSON.stringify(progress.open)).toBe(JSON.stringify([{ offset: 0, failures: 0, settled: false }]));
});

test("what another program wrote beside its commit says nothing to us", () => {
  for (const text of ["", "consumer-1", "L1:", `L2:${ID}:AAAA`]) {
    expect([readMarks(7, text), sealed("c", text), unsealed("c", ID, text)]).toEqual([[], text, ""]);
  }
});

test("a commit that was meant for a topic that is no more is known; one copied from another cluster holds, without its marks", () => {
  const { text } = writeMarks(ID, 3, [{ from: 4, to: 9, failures: DONE }], 4_096);
  const here = sealed("here", text);
  expect(here).toHaveLength(text.length + SEAL_LENGTH);
  expect(unsealed("here", ID, here)).toBe(text);
  expect(unsealed("here", ID.replace("0", "1"), here)).toBeUndefined();
  expect(unsealed("there", ID.replace("0", "1"), here)).toBe("");
});

test("a topic that has no id yet, or is told without it, is not another", () => {
  const none = "0".repeat(32);
  for (const [then, now] of [
    [none, ID],
    [ID, none],
    [none, none],
  ] as const) {
    const { text } = writeMarks(then, 3, [{ from: 4, to: 9, failures: DONE }], 4_096);
    expect(unsealed("", now, sealed("", text))).toBe(text);
  }
});

test("marks are as they were written", () => {
  const mark = fc.record({ gap: fc.nat(1_000), length: fc.integer({ min: 1, max: 1_000 }), failures: fc.constantFrom(DONE, 1, 2, 500) });
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.array(mark, { maxLength: 100 }), (first, list) => {
      let at = first;
      const marks: Mark[] = [];
      for (const { gap, length, failures } of list) {
        const from = at + gap + 1;
        at = from + (failures === DONE ? length : 1);
        marks.push({ from, to: at, failures });
      }
      expect(readMarks(first, writeMarks(ID, first, marks, 100_000).text)).toEqual(marks);
    }),
  );
});
