/** Go's words for yes: Go Layotto and Dapr read the key so. */
const YES: ReadonlySet<string> = new Set(["true", "t", "1"]);

/** Whether metadata, of a publish or of a subscription, wants the bytes without an envelope. */
export function wantsRaw({ rawPayload }: Readonly<Record<string, string>>): boolean {
  return rawPayload !== undefined && YES.has(rawPayload.toLowerCase());
}
