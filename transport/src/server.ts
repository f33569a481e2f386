import {
  type Metadata as GrpcMetadata,
  Server as GrpcServer,
  type handleUnaryCall,
  logVerbosity,
  ServerCredentials,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { type Address, formatAddress } from "./address.ts";
import { listening } from "./listening.ts";
import type { Status } from "./status.ts";

/** One unary call at the server. Exactly one of `respond` and `fail` ends it; whatever comes after that, or after a cancellation, is ignored. */
export interface ServerCall {
  /** The caller's deadline, milliseconds since the epoch. */
  readonly deadline: number | undefined;
  /** The first value of a request header; names are lower case. */
  header(name: string): string | undefined;
  /** Calls `fn` once if the caller goes away or its deadline passes before the answer. */
  onCancel(fn: () => void): void;
  respond(message: Uint8Array): void;
  fail(code: Status, details: string): void;
}

/** Works on bytes: what they mean is the caller's business. Must not throw. */
export type UnaryHandler = (request: Uint8Array, call: ServerCall) => void;

/** By method path: `/spec.proto.runtime.v1.Runtime/PublishEvent`. Any other path is answered UNIMPLEMENTED at once. */
export type Handlers = Readonly<Record<string, UnaryHandler>>;

export interface ServerOptions {
  readonly handlers: Handlers;
  /** The largest request, in bytes; a larger one is answered RESOURCE_EXHAUSTED. Default: 4 MiB. */
  readonly maxMessageBytes?: number;
}

export interface Server {
  /** Where it really listens: port 0 has become a number. */
  readonly address: Address;
  /** Takes no new calls, lets the running ones finish, then closes. When `signal` aborts, what still runs is cut off. */
  close(signal?: AbortSignal): Promise<void>;
}

// Whatever goes wrong is told to the caller; the library's own lines on stderr would tell it a second time, in its words.
if (!process.env.GRPC_VERBOSITY && !process.env.GRPC_NODE_VERBOSITY) setLogVerbosity(logVerbosity.NONE);

/** Starts to serve. Rejects with a `ListenError` when the address cannot be had. */
export async function listen(address: Address, options: ServerOptions): Promise<Server> {
  const server = new GrpcServer({
    "grpc.max_receive_message_length": options.maxMessageBytes ?? 4 * 2 ** 20,
    "grpc.max_send_message_length": -1,
  });
  for (const [path, handler] of Object.entries(options.handlers)) {
    server.register(path, adapt(handler), asBuffer, asBuffer, "unary");
  }
  const target = "path" in address ? `unix:${address.path}` : formatAddress(address);
  const bind = () =>
    new Promise<number>((resolve, reject) => {
      server.bindAsync(target, ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
  const port = await listening(address, bind);
  return { address: "path" in address ? address : { host: address.host, port }, close: (signal) => shutDown(server, signal) };
}

function asBuffer(message: Uint8Array): Buffer {
  return Buffer.isBuffer(message) ? message : Buffer.from(message.buffer, message.byteOffset, message.byteLength);
}

function adapt(handler: UnaryHandler): handleUnaryCall<Uint8Array, Uint8Array> {
  return (call, callback) => {
    const deadline = call.getDeadline();
    const until = typeof deadline === "number" ? deadline : deadline.getTime();
    handler(call.request, {
      deadline: Number.isFinite(until) ? until : undefined,
      header: (name) => firstValue(call.metadata, name),
      onCancel: (fn) => {
        call.once("cancelled", fn);
      },
      respond: (message) => callback(null, message),
      fail: (code, details) => callback({ code, details }),
    });
  };
}

function firstValue(metadata: GrpcMetadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return value === undefined ? undefined : value.toString();
}

function shutDown(server: GrpcServer, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const cut = () => server.forceShutdown();
    server.tryShutdown((error) => {
      signal?.removeEventListener("abort", cut);
      if (error) server.forceShutdown();
      resolve();
    });
    if (signal?.aborted) cut();
    else signal?.addEventListener("abort", cut, { once: true });
  });
}
