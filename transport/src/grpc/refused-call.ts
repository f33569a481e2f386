import { HeaderTemplate } from "../http2/header-template.ts";
import { Stream } from "../http2/stream.ts";
import type { Status } from "../status.ts";
import { RESPONSE_FIELDS, statusFields } from "./header-fields.ts";
import type { RequestHead } from "./request-head.ts";

/** What a request that no call comes of is answered with. */
export type Refusal =
  | { readonly grpc: Status; readonly details: string }
  /** To one who does not speak gRPC, as HTTP says it. */
  | { readonly http: number; readonly text: string };

/** A body of this size is waited for, so that the answer comes after the request; a larger one is cut off. */
const PATIENCE_BYTES = 64 * 1024;

export class RefusedCall extends Stream<RequestHead> {
  readonly #refusal: Refusal;
  readonly #isHead: boolean;
  #bytes = 0;

  constructor(refusal: Refusal, isHead: boolean) {
    super();
    this.#refusal = refusal;
    this.#isHead = isHead;
  }

  override onHeaders(_section: RequestHead, ended: boolean): void {
    if ("grpc" in this.#refusal || ended) this.#answer();
  }

  override onData(_buffer: Buffer, start: number, end: number, ended: boolean): void {
    this.#bytes += end - start;
    if (ended || this.#bytes > PATIENCE_BYTES) this.#answer();
  }

  override onReset(): void {}

  #answer(): void {
    const sender = this.connection?.sender;
    if (sender === undefined || this.localEnded || this.over) return;
    const refusal = this.#refusal;
    if ("grpc" in refusal) {
      sender.headers(this, new HeaderTemplate([...RESPONSE_FIELDS, ...statusFields(refusal.grpc, refusal.details, undefined)]), true);
      return;
    }
    const text = Buffer.from(`${refusal.text}\n`);
    const head = new HeaderTemplate([
      [":status", String(refusal.http), "plain"],
      ["content-type", "text/plain", "plain"],
      ["content-length", String(text.length), "plain"],
    ]);
    sender.headers(this, head, this.#isHead);
    if (!this.#isHead) sender.data(this, text, NOTHING, true);
  }
}

const NOTHING = new Uint8Array();
