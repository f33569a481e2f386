import type { ErrorCode } from "../../errors/code.ts";
import { type Outcome, PubSubError } from "../../pubsub/error.ts";

interface Meaning {
  readonly code: ErrorCode;
  readonly permanent?: true;
}

const MISSING: Meaning = { code: "not_found" };
const DENIED: Meaning = { code: "permission_denied", permanent: true };
const UNKNOWN_CALLER: Meaning = { code: "unauthenticated" };
const THROTTLED: Meaning = { code: "resource_exhausted" };
const WRONG: Meaning = { code: "invalid_argument", permanent: true };
const NOT_NOW: Meaning = { code: "failed_precondition" };

/** What the services' errors mean, without the `Exception` and the namespace that some have in their names. They have not done what they answer with these. */
const NAMES: Readonly<Record<string, Meaning>> = {
  NotFound: MISSING,
  ResourceNotFound: MISSING,
  QueueDoesNotExist: MISSING,
  NonExistentQueue: MISSING,
  AuthorizationError: DENIED,
  AccessDenied: DENIED,
  KMSAccessDenied: DENIED,
  KmsAccessDenied: DENIED,
  UnrecognizedClient: UNKNOWN_CALLER,
  InvalidClientTokenId: UNKNOWN_CALLER,
  InvalidAccessKeyId: UNKNOWN_CALLER,
  InvalidSecurity: UNKNOWN_CALLER,
  SignatureDoesNotMatch: UNKNOWN_CALLER,
  InvalidSignature: UNKNOWN_CALLER,
  IncompleteSignature: UNKNOWN_CALLER,
  RequestTimeTooSkewed: UNKNOWN_CALLER,
  MissingAuthenticationToken: UNKNOWN_CALLER,
  ExpiredToken: UNKNOWN_CALLER,
  TokenRefreshRequired: UNKNOWN_CALLER,
  CredentialsProviderError: UNKNOWN_CALLER,
  Throttled: THROTTLED,
  Throttling: THROTTLED,
  RequestThrottled: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  TooManyRequests: THROTTLED,
  SlowDown: THROTTLED,
  KMSThrottling: THROTTLED,
  KmsThrottled: THROTTLED,
  OverLimit: THROTTLED,
  TopicLimitExceeded: THROTTLED,
  SubscriptionLimitExceeded: THROTTLED,
  BatchRequestTooLong: { code: "resource_exhausted", permanent: true },
  InvalidParameter: WRONG,
  InvalidParameterValue: WRONG,
  ParameterValueInvalid: WRONG,
  InvalidAttributeName: WRONG,
  InvalidAttributeValue: WRONG,
  InvalidMessageContents: WRONG,
  UnsupportedOperation: WRONG,
  QueueNameExists: { code: "already_exists" },
  QueueDeletedRecently: NOT_NOW,
  PurgeQueueInProgress: NOT_NOW,
  ReceiptHandleIsInvalid: NOT_NOW,
  MessageNotInflight: NOT_NOW,
  KMSDisabled: NOT_NOW,
  KmsDisabled: NOT_NOW,
  KMSInvalidState: NOT_NOW,
  KmsInvalidState: NOT_NOW,
  KMSNotFound: NOT_NOW,
  KmsNotFound: NOT_NOW,
  KMSOptInRequired: NOT_NOW,
};

/** What SQS says of a receipt that is not the newest, or whose time is over. */
const LOST: ReadonlySet<string> = new Set(["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"]);

/** Instead of what the service says: of a signature it repeats the request's headers, with the session's token. */
const NOT_ACCEPTED = "the credentials are not accepted";

/** What the SDK says of a region. */
const NO_REGION = "Region is missing";
const BAD_REGION = "Region not accepted";

/** Nothing was sent: there was no connection. */
const NO_CONNECTION: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN"]);

/** The error by which a service named it. Decisions are made by that, never by the text. */
class AwsError extends PubSubError {
  readonly word: string;

  constructor(word: string, code: ErrorCode, message: string, outcome: Outcome, permanent: boolean) {
    super(code, message, { outcome, permanent });
    this.word = word;
  }
}

/** What the clients throw. */
interface Thrown {
  readonly name?: string;
  readonly message?: string;
  /** Of the connection: `ECONNREFUSED`. */
  readonly code?: string;
  readonly $fault?: "client" | "server";
  readonly $metadata?: { readonly httpStatusCode?: number };
  /** An answer that could not be read. */
  readonly $response?: unknown;
}

/**
 * Turns what the client threw into our error. It is not kept as the cause: it holds the request, with its credentials. A fault of the
 * program is no error of the broker: it is thrown on.
 */
export function awsError(doing: string, error: unknown): PubSubError {
  if (error instanceof PubSubError) return error;
  const { name = "Error", message = "", code = "", $fault, $metadata } = (error ?? {}) as Thrown;
  const answered = $metadata?.httpStatusCode !== undefined || $fault !== undefined;
  const word = plain(name);
  const known = NAMES[word];
  if (known) return named(doing, word, message, known);
  // It broke off, or is none of the service's: what it was to say may be that it is done. The SDK's advice on it comes after the first line.
  if ($fault === undefined && typeof error === "object" && error !== null && "$response" in error)
    return new AwsError(word, "unavailable", `${doing}: the answer cannot be read: ${message.split("\n", 1)[0]}`, "unknown", false);
  if (answered) {
    const status = $metadata?.httpStatusCode ?? 0;
    const text = `${doing}: ${word}: ${status === 401 || status === 403 ? NOT_ACCEPTED : message}`;
    // A server that failed may have done it before.
    return $fault === "server" || status >= 500
      ? new AwsError(word, "unavailable", text, "unknown", false)
      : new AwsError(word, "internal", text, "rejected", false);
  }
  if (NO_CONNECTION.has(code)) return new AwsError(code, "unavailable", `${doing}: ${message || code}`, "rejected", false);
  // FIPS or two stacks, of which the environment speaks, together with an endpoint.
  if (name === "EndpointError") return new AwsError(name, "invalid_argument", `${doing}: ${message}`, "rejected", true);
  // Nothing but its text tells such an error of the SDK.
  const region = message === NO_REGION ? "there is no region" : message.startsWith(BAD_REGION) ? message.replace(/\.$/, "") : undefined;
  if (region !== undefined)
    return new AwsError(name, "invalid_argument", `${doing}: ${region}: set region, AWS_REGION or a profile's`, "rejected", true);
  // Nothing but its text tells this time limit of the SDK from the others. Connections that break have this name as well, and a code.
  if (name === "TimeoutError" && code === "" && /establish a connection/.test(message))
    return new AwsError(name, "unavailable", `${doing}: no connection in time`, "rejected", false);
  if (code !== "" || name === "TimeoutError" || name === "AggregateError")
    return new AwsError(code, "unavailable", `${doing}: ${message || code}`, "unknown", false);
  throw error;
}

/** One message's own failure within a batch. */
export function entryError(doing: string, code: string, message: string, theirFault: boolean): PubSubError {
  const word = plain(code);
  const known = NAMES[word];
  if (known) return named(doing, word, message, known);
  return new AwsError(word, "unavailable", `${doing}: ${word}: ${message}`, theirFault ? "unknown" : "rejected", false);
}

/** The topic or the queue is not there. */
export function isMissing(error: PubSubError): boolean {
  return error instanceof AwsError && NAMES[error.word] === MISSING;
}

/** The message is not ours any more. Any other failure, whoever's fault SQS says it is, says nothing of that. */
export function isLost(error: PubSubError): boolean {
  return error instanceof AwsError && LOST.has(error.word);
}

/** The entity is there already, otherwise than asked for. */
export function isDifferent(error: PubSubError): boolean {
  return error instanceof AwsError && (error.word === "InvalidParameter" || error.word === "QueueNameExists");
}

function named(doing: string, word: string, message: string, { code, permanent }: Meaning): AwsError {
  const text = code === "unauthenticated" && word !== "CredentialsProviderError" ? NOT_ACCEPTED : message;
  return new AwsError(word, code, `${doing}: ${word}: ${text}`, "rejected", permanent === true);
}

function plain(name: string): string {
  const last = name.slice(name.lastIndexOf(".") + 1);
  return last.endsWith("Exception") ? last.slice(0, -"Exception".length) : last;
}
