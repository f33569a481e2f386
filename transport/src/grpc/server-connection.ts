import type { Socket } from "node:net";
import type { ConnectionOptions } from "../http2/connection-options.ts";
import { HeaderTemplate } from "../http2/header-template.ts";
import { ServerConnection } from "../http2/server-connection.ts";
import type { Stream } from "../http2/stream.ts";
import type { AdmissionCall, Handler } from "../server.ts";
import { Status } from "../status.ts";
import type { Deadlines } from "./deadlines.ts";
import { RESPONSE_FIELDS, statusFields } from "./header-fields.ts";
import type { IncomingCall } from "./incoming-call.ts";
import { type Refusal, RefusedCall } from "./refused-call.ts";
import type { RequestHead } from "./request-head.ts";
import { StreamingServerCall } from "./streaming-server-call.ts";
import { UnaryServerCall } from "./unary-server-call.ts";

/** What all connections of a server share. */
export interface ServerContext {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly maxMessageBytes: number;
  readonly deadlines: Deadlines;
  readonly admit: ((call: AdmissionCall) => { readonly code: Status; readonly details: string } | undefined) | undefined;
  readonly onEnd: ((path: string, code: Status) => void) | undefined;
  /** A handler threw: its caller is told, and so is whoever runs the server. */
  threw(error: unknown, call: IncomingCall): void;
  closed(connection: GrpcServerConnection): void;
}

const NOT_GRPC = "This address speaks gRPC: POST with content-type application/grpc.";

export class GrpcServerConnection extends ServerConnection<RequestHead> {
  /** Of an answer with nothing special about it. */
  readonly headers = new HeaderTemplate(RESPONSE_FIELDS);
  readonly trailers = new HeaderTemplate(statusFields(Status.OK, "", undefined));
  readonly #context: ServerContext;

  constructor(socket: Socket, options: ConnectionOptions<RequestHead>, context: ServerContext) {
    super(socket, options);
    this.#context = context;
  }

  protected override request(head: RequestHead): Stream<RequestHead> {
    const context = this.#context;
    const refusal = this.#refusal(head);
    if (refusal !== undefined) {
      return "grpc" in refusal ? this.#refused(head, refusal.grpc, refusal.details) : new RefusedCall(refusal, head.method === "HEAD");
    }
    const handler = context.handlers.get(head.path as string);
    if (handler === undefined) return this.#refused(head, Status.UNIMPLEMENTED, `the method ${head.path} is not served here`);
    if (context.admit !== undefined) {
      const refused = context.admit(head as AdmissionCall);
      if (refused !== undefined) return this.#refused(head, refused.code, refused.details);
    }
    return typeof handler === "function" ? new UnaryServerCall(head, context, handler) : new StreamingServerCall(head, context, handler);
  }

  protected override closed(): void {
    this.#context.closed(this);
  }

  #refused(head: RequestHead, grpc: Status, details: string): RefusedCall {
    this.#context.onEnd?.(head.path ?? "", grpc);
    return new RefusedCall({ grpc, details }, false);
  }

  #refusal(head: RequestHead): Refusal | undefined {
    if (head.tooLarge) {
      const text = `the request's header fields are larger than ${this.limits.maxHeaderListBytes} bytes`;
      return head.isGrpc ? { grpc: Status.RESOURCE_EXHAUSTED, details: text } : { http: 431, text };
    }
    if (!head.isGrpc) return { http: 415, text: NOT_GRPC };
    if (head.timeoutIsWrong) return { grpc: Status.INTERNAL, details: `the grpc-timeout "${head.header("grpc-timeout")}" cannot be read` };
    return undefined;
  }
}
