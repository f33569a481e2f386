import { expect, test } from "vitest";
import { check } from "./check.ts";
import { Ledger, type Result } from "./ledger.ts";

const LIMITS = { duplicates: 2, window: 3, ordered: true, deadLetters: [] };

/** A ledger in which all of `acknowledged` was published, of one key, and the deliveries were `[number, result]`. */
function ledgerOf(acknowledged: readonly number[], deliveries: readonly (readonly [number, Result | undefined])[]): Ledger {
  const ledger = new Ledger();
  for (const number of acknowledged) ledger.acknowledge(number, "k");
  for (const [number, result] of deliveries) {
    const delivery = { number, key: "k", replica: 0, at: 0 };
    ledger.delivered(delivery);
    if (result) ledger.ended(delivery, result);
  }
  return ledger;
}

const all = (...numbers: readonly number[]) => numbers.map((number) => [number, "succeeded"] as const);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test("what arrived once and in its order is right", () => {
  expect(check(ledgerOf(upTo(4), all(1, 2, 3, 4)), LIMITS)).toEqual([]);
});

test("a lost message is found: never delivered, only failed with, or never ended", () => {
  expect(check(ledgerOf(upTo(3), all(1, 3)), LIMITS)).toEqual(["expected 0 of 3 acknowledged messages lost, found 1: 2"]);
  expect(check(ledgerOf([1], [[1, "failed"]]), LIMITS)).toEqual(["expected 0 of 1 acknowledged messages lost, found 1: 1"]);
  expect(check(ledgerOf([1], [[1, undefined]]), LIMITS)).toEqual(["expected 0 of 1 acknowledged messages lost, found 1: 1"]);
});

test("of many that are lost ten are named", () => {
  const [said] = check(ledgerOf(upTo(12), []), LIMITS);
  expect(said).toBe("expected 0 of 12 acknowledged messages lost, found 12: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …");
});

test("what the broker itself lost is not counted, what was published after it is", () => {
  const ledger = ledgerOf([1, 2], []);
  for (let count = 0; count < 2; count++) ledger.next();
  ledger.forgive();
  expect(check(ledger, LIMITS)).toEqual([]);
  const number = ledger.next();
  ledger.acknowledge(number, undefined);
  expect(check(ledger, LIMITS)).toEqual(["expected 0 of 3 acknowledged messages lost, found 1: 3"]);
});

test("a dead letter that is due is not lost; one that is not, one too few and a second copy are found, one that comes again is none", () => {
  const ledger = ledgerOf([1], [[1, "failed"]]);
  ledger.deadLettered(1, "12:00");
  ledger.deadLettered(1, "12:00");
  expect(check(ledger, { ...LIMITS, deadLetters: [1] })).toEqual([]);
  expect(check(ledger, LIMITS)).toEqual(["expected the dead letters 0: , found 1: 1"]);
  expect(check(ledger, { ...LIMITS, deadLetters: [1, 2] })).toEqual(["expected the dead letters 2: 1, 2, found 1: 1"]);
  for (const minute of [1, 2, 3]) ledger.deadLettered(1, `12:0${minute}`);
  expect(check(ledger, { ...LIMITS, deadLetters: [1] })).toEqual(["expected at most 2 duplicates, found 3: 1, 1, 1"]);
});

test("too many duplicates are found, and so is one that comes while the first is still with the app", () => {
  expect(check(ledgerOf([1], all(1, 1, 1)), LIMITS)).toEqual([]);
  expect(check(ledgerOf([1], all(1, 1, 1, 1)), LIMITS)).toEqual(["expected at most 2 duplicates, found 3: 1, 1, 1"]);
  const twiceAtOnce = [
    [1, undefined],
    [1, "succeeded"],
  ] as const;
  expect(check(ledgerOf([1], twiceAtOnce), { ...LIMITS, duplicates: 0 })).toEqual(["expected at most 0 duplicates, found 1: 1"]);
});

test("what comes again after a failure is no duplicate", () => {
  const again = [
    [1, "failed"],
    [1, "failed"],
    [1, "succeeded"],
  ] as const;
  expect(check(ledgerOf([1], again), { ...LIMITS, duplicates: 0 })).toEqual([]);
});

test("what comes twice of a refused publish is no duplicate", () => {
  expect(check(ledgerOf([], all(1, 1)), { ...LIMITS, duplicates: 0 })).toEqual([]);
});

test("a swapped order is found, unless none was asked for", () => {
  const swapped = ledgerOf(upTo(4), all(1, 3, 2, 4));
  expect(check(swapped, LIMITS)).toEqual(["expected each key in its order, found 1: 2 after 3 of the key k"]);
  expect(check(swapped, { ...LIMITS, ordered: false })).toEqual([]);
});

test("a message that failed must succeed before the next of its key", () => {
  const overtaken = [
    [1, "failed"],
    [2, "succeeded"],
    [1, "succeeded"],
  ] as const;
  expect(check(ledgerOf([1, 2], overtaken), LIMITS)).toEqual(["expected each key in its order, found 1: 1 after 2 of the key k"]);
});

test("keys are ordered each for itself", () => {
  const ledger = ledgerOf([2], all(2));
  const other = { number: 1, key: "other", replica: 1, at: 0 };
  ledger.acknowledge(1, "other");
  ledger.delivered(other);
  ledger.ended(other, "succeeded");
  expect(check(ledger, LIMITS)).toEqual([]);
});

test("what was not acknowledged has no place in the order", () => {
  expect(check(ledgerOf([2], all(2, 1)), LIMITS)).toEqual([]);
});

test("a step back to what was just settled is allowed, one beyond the window is found", () => {
  expect(check(ledgerOf(upTo(4), all(1, 2, 3, 2, 3, 4)), LIMITS)).toEqual([]);
  expect(check(ledgerOf(upTo(5), all(1, 2, 3, 4, 5, 1)), LIMITS)).toEqual([
    "expected no step back beyond 3 settled messages, found 1: 1 after 4 later ones of the key k",
  ]);
});
