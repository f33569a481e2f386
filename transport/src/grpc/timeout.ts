const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
const MAX_VALUE = 99_999_999;

/** `grpc-timeout` in milliseconds; undefined: it is none ("Timeout" in gRPC's HTTP/2 protocol). */
export function parseTimeout(text: string): number | undefined {
  const unit = UNIT_MS[text.charAt(text.length - 1)];
  const digits = text.slice(0, -1);
  return unit !== undefined && /^\d{1,8}$/.test(digits) ? Number(digits) * unit : undefined;
}

/** Milliseconds as `grpc-timeout`, rounded up: a server must not give up before its client does. */
export function formatTimeout(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms));
  if (whole <= MAX_VALUE) return `${whole}m`;
  const seconds = Math.ceil(whole / 1_000);
  return seconds <= MAX_VALUE ? `${seconds}S` : `${Math.min(MAX_VALUE, Math.ceil(seconds / 3_600))}H`;
}
