import type { RetryPolicy } from "./policy.ts";

interface Retrying {
  readonly retry: RetryPolicy;
}

/** What one subscription or component says for itself, instead of what holds for all. */
export type Own<Policy extends Retrying> = Partial<Omit<Policy, "retry">> & { readonly retry?: Partial<RetryPolicy> };

/** `own`, and `defaults` where it says nothing; within `retry` word by word. */
export function withOwn<Policy extends Retrying>(defaults: Policy, own: Own<Policy>): Policy {
  const retry = { ...defaults.retry, ...own.retry };
  // Who asks for a longer first wait means no shorter one after it.
  return { ...defaults, ...own, retry: { ...retry, mostMs: Math.max(retry.firstMs, retry.mostMs) } };
}
