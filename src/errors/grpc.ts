import type { ErrorCode } from "./code.ts";

/** gRPC's status code of each error code. */
export const GRPC_STATUS = {
  cancelled: 1,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const satisfies Readonly<Record<ErrorCode, number>>;
