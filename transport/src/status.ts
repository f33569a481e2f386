import type { Metadata } from "./metadata.ts";

/** The status codes of gRPC (its "Status codes and their use in gRPC"). */
export const Status = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type Status = (typeof Status)[keyof typeof Status];

/** `UNAVAILABLE` for 14; the number itself for a code that gRPC does not know. */
export function statusName(code: number): string {
  return Object.entries(Status).find(([, value]) => value === code)?.[0] ?? String(code);
}

/** How a call failed. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: number;
  /** The text without the code in front of it. */
  readonly details: string;
  /**
   * Who says so.
   * - `peer`: the server answered with this status.
   * - `unsent`: there was no connection, or the server said that it would not work on it: it has certainly not seen the request.
   * - `connection`: the connection was lost, or our own deadline or cancellation ended the call; the server may have seen the request.
   */
  readonly from: "peer" | "unsent" | "connection";

  /** What the server sent beside its status. */
  readonly trailers: Metadata | undefined;

  constructor(code: number, details: string, from: "peer" | "unsent" | "connection", trailers?: Metadata) {
    super(`${statusName(code)}: ${details}`);
    this.code = code;
    this.details = details;
    this.from = from;
    this.trailers = trailers;
  }
}
