import { z } from "zod";

/**
 * The words in which components describe their options. Layotto's and Dapr's files hold strings only ("15s", "true", "10"), ours may be
 * typed; both are accepted everywhere, and an error says what was expected in the same words.
 */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };

/** A duration in milliseconds: `15s`, `1h30m`, `250ms`, or a bare number of milliseconds. */
export function parseDuration(text: string): number | undefined {
  const value = text.trim();
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(value)) return undefined;
  let total = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) total += Number(amount) * (UNIT_MS[unit ?? ""] ?? 0);
  return total;
}

/** A number of bytes: `64MiB`, `256KB`, or a bare number. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = UNIT_BYTES[(match?.[2] || "b").toLowerCase()];
  return match && factor !== undefined ? Math.floor(Number(match[1]) * factor) : undefined;
}

// Hundreds of words are made at each start, and making a schema is what costs: each word is made of as few as it can be.
const ANYTHING = z.unknown();
const EMPTY_IS_ABSENT = z.transform((value: unknown) => (value === "" ? undefined : value));

/** `written` is what an editor accepts: a JSON Schema of the forms that the word may have in a file. */
function parsed<T>(expected: string, written: readonly object[], parse: (value: unknown) => T | undefined): z.ZodType<T, unknown> {
  const transform = z.transform((value: unknown, context) => {
    const result = parse(value);
    if (result !== undefined) return result;
    context.addIssue({ code: "custom", message: `expected ${expected}`, input: value });
    return z.NEVER;
  });
  const word = z.pipe(ANYTHING, transform);
  z.globalRegistry.add(word, { written: { anyOf: [...written, REFERENCE] } });
  return word;
}

/** A value that is filled in from the environment. */
const REFERENCE = { type: "string", pattern: "\\$\\{" };
const NUMBER = { type: "number", minimum: 0 };

const matching = ({ source }: RegExp): object => ({ type: "string", pattern: source });

// A word that takes no bounds is made once: what is put around it leaves it as it is.

const DURATION = parsed(
  "a duration such as 250ms, 15s or 1h30m",
  [NUMBER, matching(/^\s*(\d+(\.\d+)?|(\d+(\.\d+)?(ms|s|m|h|d))+)\s*$/)],
  (value) => (typeof value === "number" && value >= 0 ? value : typeof value === "string" ? parseDuration(value) : undefined),
);

/** Milliseconds. Accepts `15s`, `1h30m`, `250ms` or a number of milliseconds. */
export const duration = (): z.ZodType<number, unknown> => DURATION;

/**
 * Milliseconds, up to `most`. As `duration`, but a bare number is seconds: so are Dapr's, but for those of Redis. The bound keeps a number
 * that was meant in milliseconds from being taken for hours.
 */
export const secondsOrDuration = (most: number): z.ZodType<number, unknown> =>
  parsed(
    `a duration such as 15s or 1m30s, or a number of seconds, up to ${most / 60_000}m`,
    [NUMBER, matching(/^\s*(\d+(\.\d+)?|(\d+(\.\d+)?(ms|s|m|h|d))+)\s*$/)],
    (value) => {
      const text = typeof value === "number" ? String(value) : typeof value === "string" ? value : "";
      const parsed = parseDuration(/[a-z]/.test(text) ? text : `${text.trim()}s`);
      return parsed !== undefined && parsed <= most ? parsed : undefined;
    },
  );

const BYTES = parsed(
  "a size such as 64MiB, 256KB or a number of bytes",
  [NUMBER, matching(/^\s*\d+(\.\d+)?\s*([kKmMgG]?[iI]?[bB])?\s*$/)],
  (value) => (typeof value === "number" && value >= 0 ? value : typeof value === "string" ? parseBytes(value) : undefined),
);

/** Bytes. Accepts `64MiB`, `256KB` or a number. */
export const bytes = (): z.ZodType<number, unknown> => BYTES;

/** A whole number within bounds, also as text. */
export const count = (least = 0, most = Number.MAX_SAFE_INTEGER): z.ZodType<number, unknown> =>
  parsed(
    most === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${least}` : `a whole number from ${least} to ${most}`,
    [{ type: "integer", minimum: least, maximum: most }, matching(/^\s*-?\d+\s*$/)],
    (value) => {
      const number =
        typeof value === "number" ? value : typeof value === "string" && /^-?\d+$/.test(value.trim()) ? Number(value) : Number.NaN;
      return Number.isSafeInteger(number) && number >= least && number <= most ? number : undefined;
    },
  );

// Beside the plain words those that Go and Dapr take.
const [YES, NO] = [new Set(["true", "t", "yes", "y", "on", "1"]), new Set(["false", "f", "no", "n", "off", "0"])];

const FLAG = parsed("true or false", [{ type: "boolean" }, { enum: ["true", "false"] }], (value) => {
  if (typeof value === "boolean") return value;
  const text = typeof value === "string" ? value.trim().toLowerCase() : "";
  return YES.has(text) ? true : NO.has(text) ? false : undefined;
});

/** true or false, also as text. */
export const flag = (): z.ZodType<boolean, unknown> => FLAG;

const TEXT = parsed("text", [{ type: ["string", "number", "boolean"] }], (value) =>
  typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? String(value) : undefined,
);

/** Text; a number or a truth value is taken as it is written. */
export const text = (): z.ZodType<string, unknown> => TEXT;

/** One of a few words, without regard to case. */
export const oneOf = <const T extends readonly string[]>(words: T): z.ZodType<T[number], unknown> =>
  parsed<T[number]>(`one of ${words.join(", ")}`, [{ enum: words }], (value) =>
    typeof value === "string" ? words.find((word) => word.toLowerCase() === value.trim().toLowerCase()) : undefined,
  );

/** A word that may be left out or, as in Layotto's files, empty: both mean `fallback`. */
export const orDefault = <T>(word: z.ZodType<T, unknown>, fallback: T) =>
  z.pipe(EMPTY_IS_ABSENT, word.default(fallback as z.core.util.NoUndefined<T>));

/** A key of Layotto's or Dapr's that changes nothing here; `why` says so in the reference. */
export const ignored = (why: string) => text().optional().describe(`Accepted and without effect: ${why}`);
