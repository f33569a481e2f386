import type { HeaderField } from "../hpack/encoder.ts";
import type { Metadata } from "../metadata.ts";
import { ACCEPTED } from "./compression.ts";
import { encodeStatusMessage } from "./status-message.ts";

/** Names whose values are secrets: no table ever holds them (RFC 7541 section 7.1.3). */
const SECRET = /authorization|cookie|token|secret|password|api-?key/;

/** Not indexed: values that seldom come again would push out those that do. */
export function metadataFields(metadata: Metadata): HeaderField[] {
  return [...metadata].map(([name, value]) => [
    name,
    typeof value === "string" ? value : Buffer.from(value).toString("base64").replace(/=+$/, ""),
    SECRET.test(name) ? "never" : "plain",
  ]);
}

/** The fields that tell a call's outcome. */
export function statusFields(code: number, details: string, trailers: Metadata | undefined): HeaderField[] {
  const fields: HeaderField[] = [["grpc-status", String(code), code === 0 ? "index" : "plain"]];
  if (details !== "") fields.push(["grpc-message", encodeStatusMessage(details), "plain"]);
  if (trailers !== undefined) fields.push(...metadataFields(trailers));
  return fields;
}

export const RESPONSE_FIELDS: readonly HeaderField[] = [
  [":status", "200", "index"],
  ["content-type", "application/grpc", "index"],
];

export const ACCEPT_FIELD: HeaderField = ["grpc-accept-encoding", ACCEPTED, "index"];
export const GZIP_FIELD: HeaderField = ["grpc-encoding", "gzip", "index"];
