import { FieldSection } from "../http2/field-section.ts";
import { Metadata } from "../metadata.ts";
import type { Encoding } from "./compression.ts";
import { parseTimeout } from "./timeout.ts";

/** A request's header section as gRPC reads it ("Request-Headers" in its HTTP/2 protocol). Shared by all requests with the same bytes. */
export class RequestHead extends FieldSection {
  readonly isGrpc: boolean;
  /** Milliseconds; undefined: none. */
  readonly timeoutMs: number | undefined;
  readonly timeoutIsWrong: boolean;
  /** Of the request's messages. Undefined: one that we do not know. */
  readonly encoding: Encoding | undefined;
  /** Of the answer's, as far as the client takes it. */
  readonly answerEncoding: Encoding;
  #metadata: Metadata | undefined;

  constructor(fields: readonly string[], tooLarge: boolean) {
    super(fields, tooLarge);
    let isGrpc = false;
    let timeout: string | undefined;
    let encoding = "identity";
    let accepted = "";
    for (let at = this.regular; at < fields.length; at += 2) {
      const value = fields[at + 1] as string;
      switch (fields[at]) {
        case "content-type":
          isGrpc = value === "application/grpc" || /^application\/grpc[+;]/.test(value);
          break;
        case "grpc-timeout":
          timeout = value;
          break;
        case "grpc-encoding":
          encoding = value;
          break;
        case "grpc-accept-encoding":
          accepted = value;
          break;
      }
    }
    this.isGrpc = isGrpc && this.method === "POST";
    this.timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
    this.timeoutIsWrong = timeout !== undefined && this.timeoutMs === undefined;
    this.encoding = encoding === "identity" || encoding === "gzip" ? encoding : undefined;
    // As it was asked: who compresses its requests wants compressed answers.
    this.answerEncoding = encoding === "gzip" && /(^|,)\s*gzip\s*(,|$)/.test(accepted) ? "gzip" : "identity";
  }

  get metadata(): Metadata {
    this.#metadata ??= Metadata.fromFields(this.fields, this.regular);
    return this.#metadata;
  }

  /** The first value of a field. */
  header(name: string): string | undefined {
    for (let at = this.regular; at < this.fields.length; at += 2) if (this.fields[at] === name) return this.fields[at + 1];
    return undefined;
  }
}
