import type { ErrorCode } from "../errors/code.ts";

/**
 * What is known about the operation that failed.
 * - `rejected`: the broker certainly has not done it. Trying again cannot duplicate.
 * - `unknown`: it may have (the reply was lost). Trying again may duplicate.
 */
export type Outcome = "rejected" | "unknown";

export interface PubSubErrorOptions {
  /** Default: `rejected`. */
  readonly outcome?: Outcome;
  /** True when trying the same again cannot succeed (a wrong type, a missing permission, a message too large). Default: false. */
  readonly permanent?: boolean;
  /** The client library's own error. Its text must already be part of the message, without secrets. */
  readonly cause?: unknown;
}

/** The one kind of error that a component reports. The engine decides by its three fields what happens next; nobody parses the text. */
export class PubSubError extends Error {
  override readonly name = "PubSubError";
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly permanent: boolean;

  constructor(code: ErrorCode, message: string, options: PubSubErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.outcome = options.outcome ?? "rejected";
    this.permanent = options.permanent ?? false;
  }
}

/** A fault of the program is no error of the broker: it must be seen. */
export function asPubSubError(error: unknown): PubSubError {
  if (error instanceof PubSubError) return error;
  throw error;
}
