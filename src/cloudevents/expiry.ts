/** Reads `ttlInSeconds`. Throws a RangeError in Layotto's words when it is not a whole number above zero. */
export function ttlMs(metadata: Readonly<Record<string, string>>): number | undefined {
  const text = metadata.ttlInSeconds;
  if (text === undefined || text === "") return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw new RangeError(`ttlInSeconds value must be a valid integer: actual is '${text}'`);
  const seconds = Number(text);
  if (seconds <= 0) throw new RangeError(`ttlInSeconds value must be higher than zero: actual is ${seconds}`);
  return Math.min(seconds * 1_000, LONGEST_MS);
}

/** A hundred years: beyond it a date no longer has the four-digit year that RFC 3339 wants. */
const LONGEST_MS = 100 * 365 * 86_400_000;

/** Reads the `expiration` of an envelope (RFC 3339). Undefined when it says nothing that can be read: such an event does not expire. */
export function expiresAt(expiration: unknown): number | undefined {
  if (typeof expiration !== "string" || !/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d/.test(expiration)) return undefined;
  const at = Date.parse(expiration);
  return Number.isNaN(at) ? undefined : at;
}
