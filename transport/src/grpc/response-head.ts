import { FieldSection } from "../http2/field-section.ts";
import { Metadata } from "../metadata.ts";
import { Status } from "../status.ts";
import type { Encoding } from "./compression.ts";
import { decodeStatusMessage } from "./status-message.ts";

/** gRPC's "HTTP to gRPC Status Code Mapping": what an answer means that has no status of gRPC. */
const HTTP_STATUS: Readonly<Record<string, Status>> = {
  400: Status.INTERNAL,
  401: Status.UNAUTHENTICATED,
  403: Status.PERMISSION_DENIED,
  404: Status.UNIMPLEMENTED,
  429: Status.UNAVAILABLE,
  502: Status.UNAVAILABLE,
  503: Status.UNAVAILABLE,
  504: Status.UNAVAILABLE,
};

/** A header section of an answer, headers or trailers, as gRPC reads it. Shared by all answers with the same bytes. */
export class ResponseHead extends FieldSection {
  /** Undefined: it says none. */
  readonly grpcStatus: number | undefined;
  readonly encoding: Encoding | undefined;
  readonly isGrpc: boolean;
  readonly #message: string;
  #metadata: Metadata | undefined;

  constructor(fields: readonly string[], tooLarge: boolean) {
    super(fields, tooLarge);
    let status: string | undefined;
    let message = "";
    let encoding = "identity";
    let isGrpc = false;
    for (let at = this.regular; at < fields.length; at += 2) {
      const value = fields[at + 1] as string;
      switch (fields[at]) {
        case "grpc-status":
          status = value;
          break;
        case "grpc-message":
          message = value;
          break;
        case "grpc-encoding":
          encoding = value;
          break;
        case "content-type":
          isGrpc = value.startsWith("application/grpc");
          break;
      }
    }
    this.grpcStatus = status === undefined ? undefined : /^\d{1,3}$/.test(status) ? Number(status) : Status.UNKNOWN;
    this.#message = message;
    this.encoding = encoding === "identity" || encoding === "gzip" ? encoding : undefined;
    this.isGrpc = isGrpc;
  }

  get details(): string {
    return decodeStatusMessage(this.#message);
  }

  get metadata(): Metadata {
    this.#metadata ??= Metadata.fromFields(this.fields, this.regular);
    return this.#metadata;
  }

  /** What the answer of a server that speaks no gRPC means. */
  get statusOfHttp(): Status {
    return HTTP_STATUS[this.status ?? ""] ?? Status.UNKNOWN;
  }
}
