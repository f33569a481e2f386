import { expect, test } from "vitest";
import { awsError, entryError, isDifferent, isMissing } from "./errors.ts";

const answered = (name: string, message = "why", httpStatusCode = 400) =>
  Object.assign(new Error(message), { name, $fault: httpStatusCode < 500 ? "client" : "server", $metadata: { httpStatusCode } });
const broken = (name: string, code: string | undefined, message = "m") =>
  Object.assign(new Error(message), { name, ...(code !== undefined && { code }) });

test.each([
  ["throttled: certainly not done, and may be tried again", answered("ThrottledException"), "resource_exhausted", "rejected", false],
  ["throttled, by SQS", answered("RequestThrottled"), "resource_exhausted", "rejected", false],
  ["not allowed", answered("AuthorizationErrorException"), "permission_denied", "rejected", true],
  ["not allowed, by SQS", answered("AccessDeniedException"), "permission_denied", "rejected", true],
  ["unknown key", answered("InvalidClientTokenId"), "unauthenticated", "rejected", false],
  ["no topic", answered("NotFoundException", "Topic does not exist", 404), "not_found", "rejected", false],
  ["no queue, as the older protocol says it", answered("AWS.SimpleQueueService.NonExistentQueue"), "not_found", "rejected", false],
  ["wrong parameter", answered("InvalidParameterException"), "invalid_argument", "rejected", true],
  ["their fault: it may be done", answered("InternalErrorException", "oops", 500), "unavailable", "unknown", false],
  ["something new of theirs", answered("Surprise", "oops", 503), "unavailable", "unknown", false],
  ["something new of ours", answered("Surprise"), "internal", "rejected", false],
  ["nobody listens", broken("Error", "ECONNREFUSED"), "unavailable", "rejected", false],
  ["no such host", broken("Error", "ENOTFOUND"), "unavailable", "rejected", false],
  ["the connection broke", broken("TimeoutError", "ECONNRESET"), "unavailable", "unknown", false],
  ["no connection in time", broken("TimeoutError", undefined, "did not establish a connection"), "unavailable", "rejected", false],
  ["silence", broken("TimeoutError", undefined, "the request socket timed out"), "unavailable", "unknown", false],
  ["no credentials", broken("CredentialsProviderError", undefined), "unauthenticated", "rejected", false],
  ["an endpoint that cannot be", broken("EndpointError", undefined, "FIPS is not supported"), "invalid_argument", "rejected", true],
  ["no region", broken("Error", undefined, "Region is missing"), "invalid_argument", "rejected", true],
])("%s", (_, thrown, code, outcome, permanent) => {
  expect(awsError("Doing", thrown)).toMatchObject({ name: "PubSubError", code, outcome, permanent });
});

test("what is no error of AWS is thrown on", () => {
  expect(() => awsError("Doing", new TypeError("x is undefined"))).toThrow("x is undefined");
});

test.each([
  ["SignatureDoesNotMatch", 403, "unauthenticated"],
  ["InvalidSignatureException", 400, "unauthenticated"],
  ["SomethingNewOfSignatures", 403, "internal"],
  ["SomethingNewOfSignatures", 401, "internal"],
])("what a service says of a signature is not repeated, since the session's token stands in it: %s, %d", (name, status, code) => {
  const error = awsError("Publish", answered(name, "x-amz-security-token:SECRET", status));
  expect(error).toMatchObject({ code, message: expect.not.stringContaining("SECRET"), outcome: "rejected" });
  expect(error.cause).toBeUndefined();
});

test("one message's failure within a batch", () => {
  expect(entryError("Doing", "InternalError", "oops", true)).toMatchObject({ code: "unavailable", outcome: "unknown", permanent: false });
  expect(entryError("Doing", "InvalidParameter", "why", false)).toMatchObject({ code: "invalid_argument", permanent: true });
  expect(entryError("Doing", "Throttled", "why", true)).toMatchObject({ code: "resource_exhausted", outcome: "rejected" });
});

test("missing and different are told by the service's word", () => {
  expect(isMissing(awsError("Doing", answered("QueueDoesNotExist")))).toBe(true);
  expect(isMissing(awsError("Doing", answered("AccessDenied")))).toBe(false);
  expect(isDifferent(awsError("Doing", answered("QueueNameExists")))).toBe(true);
});
