/**
 * Stream ids, `<milliseconds>-<sequence>`. Both halves are 64-bit numbers without leading zeros, so they are compared as text:
 * the longer one is the greater.
 */

const LAST_SEQUENCE = "18446744073709551615";

export const ZERO = "0-0";

export function compareIds(a: string, b: string): number {
  const [aMs = "", aSequence = "0"] = a.split("-");
  const [bMs = "", bSequence = "0"] = b.split("-");
  return compareNumbers(aMs, bMs) || compareNumbers(aSequence, bSequence);
}

function compareNumbers(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

export function isId(text: string): boolean {
  return /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/.test(text);
}

/** The greatest id below `id`: a group created at it reads `id` first. */
export function idBefore(id: string): string {
  const [ms = "0", sequence = "0"] = id.split("-");
  if (sequence !== "0") return `${ms}-${BigInt(sequence) - 1n}`;
  return ms === "0" ? ZERO : `${BigInt(ms) - 1n}-${LAST_SEQUENCE}`;
}

/** When the entry was added, by the server's clock. */
export function idTime(id: string): number {
  return Number(id.slice(0, id.indexOf("-")));
}
