import type { Delivery, Ledger } from "./ledger.ts";

export interface Limits {
  /** Most deliveries of what the app had already, or still has. */
  readonly duplicates: number;
  /** Most messages that may be under way at once: a step back goes no farther. */
  readonly window: number;
  /** Whether a key's messages must come in their order. */
  readonly ordered: boolean;
  /** The messages that must be dead-lettered, and no other. One that comes again is a duplicate. */
  readonly deadLetters: readonly number[];
}

/** The most that a sentence names. */
const NAMED = 10;

/** What is wrong, a sentence each. */
export function check(ledger: Ledger, limits: Limits): readonly string[] {
  const missing = ledger.missing;
  const again = duplicates(ledger);
  return [
    ...(missing.length > 0 ? [`expected 0 of ${ledger.acknowledged.size} acknowledged messages lost, found ${listed(missing)}`] : []),
    ...(again.length > limits.duplicates ? [`expected at most ${limits.duplicates} duplicates, found ${listed(again)}`] : []),
    ...wrongDeadLetters(ledger.deadLetters, limits.deadLetters),
    ...(limits.ordered ? [...disorder(ledger), ...stepsBack(ledger.deliveries, limits.window)] : []),
  ];
}

/**
 * Numbers of deliveries, and of dead letters, that came again though an earlier one had not failed: what comes after a failure is owed,
 * not twice. A publish that was refused does not count: it may have been stored at each of its tries, and its publisher would repeat it
 * anyway.
 */
export function duplicates({ acknowledged, deliveries, deadLetters }: Ledger): readonly number[] {
  const had = new Set<number>();
  const again: number[] = [];
  for (const { number, result } of deliveries) {
    if (had.has(number)) again.push(number);
    else if (result !== "failed") had.add(number);
  }
  const dead = new Set<number>();
  for (const number of deadLetters) {
    if (dead.has(number)) again.push(number);
    else dead.add(number);
  }
  return again.filter((number) => acknowledged.has(number));
}

function wrongDeadLetters(found: readonly number[], expected: readonly number[]): readonly string[] {
  const [are, shall] = [new Set(found), new Set(expected)];
  return are.size === shall.size && [...shall].every((number) => are.has(number))
    ? []
    : [`expected the dead letters ${listed([...shall])}, found ${listed([...are])}`];
}

/** A key's numbers must be done with, each for the first time, in the order of their publishing. What was never acknowledged has no place in it. */
function disorder({ acknowledged, deliveries }: Ledger): readonly string[] {
  const highest = new Map<string, number>();
  const done = new Set<number>();
  const wrong: string[] = [];
  for (const { number, key, result } of deliveries) {
    if (key === undefined || result !== "succeeded" || done.has(number) || !acknowledged.has(number)) continue;
    done.add(number);
    const before = highest.get(key) ?? 0;
    if (number < before) wrong.push(`${number} after ${before} of the key ${key}`);
    else highest.set(key, number);
  }
  return wrong.length > 0 ? [`expected each key in its order, found ${listed(wrong)}`] : [];
}

/** After a crash a key may step back to what was not settled, and no farther than what could be under way. */
function stepsBack(deliveries: readonly Delivery[], window: number): readonly string[] {
  const doneOfKey = new Map<string, number[]>();
  const placed = new Map<number, number>();
  const wrong: string[] = [];
  for (const { number, key, result } of deliveries) {
    if (key === undefined) continue;
    const done = doneOfKey.get(key) ?? [];
    doneOfKey.set(key, done);
    const place = placed.get(number);
    const back = place === undefined ? 0 : done.length - place;
    if (back > window) wrong.push(`${number} after ${back - 1} later ones of the key ${key}`);
    if (place !== undefined || result !== "succeeded") continue;
    placed.set(number, done.length);
    done.push(number);
  }
  return wrong.length > 0 ? [`expected no step back beyond ${window} settled messages, found ${listed(wrong)}`] : [];
}

/** `3: 5, 9, 17`, and no more names than one reads. */
export function listed(values: readonly (number | string)[]): string {
  return `${values.length}: ${values.slice(0, NAMED).join(", ")}${values.length > NAMED ? ", …" : ""}`;
}
