import { type RpcError, Status as RpcStatus } from "layotto-transport";
import type { ErrorCode } from "../../errors/code.ts";
import { type Outcome, PubSubError } from "../../pubsub/error.ts";
import { Code, type Status } from "./gen/apache/rocketmq/v2/definition_pb.ts";

/** What a proxy's own code means. Whatever it answers with one of these it has not done: outcome `rejected`, unless it says that it may have. */
const CODES: Readonly<Record<number, { readonly code: ErrorCode; readonly permanent?: true; readonly outcome?: Outcome }>> = {
  [Code.ILLEGAL_TOPIC]: { code: "invalid_argument", permanent: true },
  [Code.ILLEGAL_CONSUMER_GROUP]: { code: "invalid_argument", permanent: true },
  [Code.ILLEGAL_MESSAGE_TAG]: { code: "invalid_argument", permanent: true },
  [Code.ILLEGAL_MESSAGE_KEY]: { code: "invalid_argument", permanent: true },
  [Code.ILLEGAL_MESSAGE_GROUP]: { code: "invalid_argument", permanent: true },
  [Code.ILLEGAL_MESSAGE_PROPERTY_KEY]: { code: "invalid_argument", permanent: true },
  [Code.ILLEGAL_FILTER_EXPRESSION]: { code: "invalid_argument", permanent: true },
  [Code.ILLEGAL_DELIVERY_TIME]: { code: "invalid_argument", permanent: true },
  [Code.INVALID_RECEIPT_HANDLE]: { code: "failed_precondition" },
  [Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE]: { code: "failed_precondition" },
  [Code.UNAUTHORIZED]: { code: "unauthenticated" },
  [Code.FORBIDDEN]: { code: "permission_denied" },
  [Code.NOT_FOUND]: { code: "not_found" },
  [Code.MESSAGE_NOT_FOUND]: { code: "not_found" },
  [Code.TOPIC_NOT_FOUND]: { code: "not_found" },
  [Code.CONSUMER_GROUP_NOT_FOUND]: { code: "not_found" },
  [Code.PAYLOAD_TOO_LARGE]: { code: "resource_exhausted", permanent: true },
  [Code.MESSAGE_BODY_TOO_LARGE]: { code: "resource_exhausted", permanent: true },
  [Code.MESSAGE_PROPERTIES_TOO_LARGE]: { code: "resource_exhausted", permanent: true },
  [Code.TOO_MANY_REQUESTS]: { code: "unavailable" },
  // Stored, but not as safely as the broker's settings want (D1).
  [Code.MASTER_PERSISTENCE_TIMEOUT]: { code: "unavailable", outcome: "unknown" },
  [Code.SLAVE_PERSISTENCE_TIMEOUT]: { code: "unavailable", outcome: "unknown" },
  [Code.HA_NOT_AVAILABLE]: { code: "unavailable", outcome: "unknown" },
  [Code.REQUEST_TIMEOUT]: { code: "unavailable", outcome: "unknown" },
  [Code.PROXY_TIMEOUT]: { code: "unavailable", outcome: "unknown" },
  [Code.INTERNAL_ERROR]: { code: "unavailable", outcome: "unknown" },
  [Code.INTERNAL_SERVER_ERROR]: { code: "unavailable", outcome: "unknown" },
  [Code.NOT_IMPLEMENTED]: { code: "unimplemented", permanent: true },
  [Code.UNSUPPORTED]: { code: "unimplemented", permanent: true },
};

/** An error that the proxy answered. Decisions are made by its code, never by the text. */
export class ProxyError extends PubSubError {
  readonly answer: number;

  constructor(doing: string, { code, message }: Pick<Status, "code" | "message">) {
    const known = CODES[code] ?? { code: code < Code.INTERNAL_ERROR ? "failed_precondition" : "internal" };
    super(known.code, `${doing}: ${message || `code ${code}`}`, {
      permanent: known.permanent ?? false,
      outcome: known.outcome ?? "rejected",
    });
    this.answer = code;
  }
}

/** The error of an answer that is none of success. */
export function failureOf(doing: string, status: Status | undefined): ProxyError | undefined {
  return status === undefined || status.code === Code.OK ? undefined : new ProxyError(doing, status);
}

const answered = (error: unknown, ...codes: readonly number[]): boolean => error instanceof ProxyError && codes.includes(error.answer);

/** There is nothing to receive at the moment. */
export const isNothing = (error: unknown): boolean => answered(error, Code.MESSAGE_NOT_FOUND);
export const isNoTopic = (error: unknown): boolean => answered(error, Code.TOPIC_NOT_FOUND);
/** It takes no more for now. */
export const isBusy = (error: unknown): boolean => answered(error, Code.TOO_MANY_REQUESTS);
/** The lease has ended. */
export const isNoLease = (error: unknown): boolean => answered(error, Code.INVALID_RECEIPT_HANDLE);
/** The topic is of another type than the message, or than we thought. */
export const isOtherType = (error: unknown): boolean => answered(error, Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, Code.TOPIC_NOT_FOUND);
/** The proxy has forgotten the client, or the broker its group: it must introduce itself again. */
export const isStranger = (code: number): boolean => code === Code.UNRECOGNIZED_CLIENT_TYPE || code === Code.CONSUMER_GROUP_NOT_FOUND;

/** How a call failed below the protocol. */
export function callError(doing: string, error: RpcError): PubSubError {
  const outcome: Outcome = error.from === "unsent" ? "rejected" : "unknown";
  const codes: Readonly<Record<number, ErrorCode>> = {
    [RpcStatus.INVALID_ARGUMENT]: "invalid_argument",
    [RpcStatus.DEADLINE_EXCEEDED]: "deadline_exceeded",
    [RpcStatus.CANCELLED]: "cancelled",
    [RpcStatus.UNAUTHENTICATED]: "unauthenticated",
    [RpcStatus.PERMISSION_DENIED]: "permission_denied",
    [RpcStatus.UNIMPLEMENTED]: "unimplemented",
    [RpcStatus.RESOURCE_EXHAUSTED]: "resource_exhausted",
  };
  return new PubSubError(codes[error.code] ?? "unavailable", `${doing}: ${error.details}`, { outcome });
}
