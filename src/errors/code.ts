/**
 * The closed set of error codes. Programs act upon a code, people read the text.
 * The words are gRPC's, because that is what most callers see (see `grpc.ts` beside this file for the table).
 */
export const ERROR_CODES = [
  "invalid_argument",
  "not_found",
  "already_exists",
  "failed_precondition",
  "permission_denied",
  "unauthenticated",
  "resource_exhausted",
  "unavailable",
  "deadline_exceeded",
  "cancelled",
  "unimplemented",
  "internal",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];
