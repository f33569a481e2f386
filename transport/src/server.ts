import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { TLSSocket, Server as TlsServer } from "node:tls";
import type { Address } from "./address.ts";
import { Deadlines } from "./grpc/deadlines.ts";
import { RequestHead } from "./grpc/request-head.ts";
import { GrpcServerConnection, type ServerContext } from "./grpc/server-connection.ts";
import { DEFAULT_LIMITS, type Limits, limitsFor } from "./http2/limits.ts";
import { listenOn } from "./listening.ts";
import type { Metadata } from "./metadata.ts";
import { Status } from "./status.ts";
import { reloading, type ServerTls, secureOptions, tlsModule } from "./tls.ts";

/** What is known of a call before it is worked on. */
export interface AdmissionCall {
  readonly path: string;
  readonly metadata: Metadata;
  /** The first value of a request header; names are lower case. */
  header(name: string): string | undefined;
}

interface AnyServerCall extends AdmissionCall {
  /** The caller's deadline, milliseconds since the epoch. When it passes, the call is answered DEADLINE_EXCEEDED and cancelled. */
  readonly deadline: number | undefined;
  /** Calls `fn` once if the caller goes away or its deadline passes before the answer; at once if that has happened. */
  onCancel(fn: () => void): void;
  /** Metadata before the answer. Only before it, and once; else it goes with the first message. */
  sendHeaders(metadata: Metadata): void;
  /** Ends the call with an error. What comes after the end of a call, or after its cancellation, is ignored. */
  fail(code: Status, details: string, trailers?: Metadata): void;
}

/** One unary call at the server. Exactly one of `respond` and `fail` ends it. */
export interface ServerCall extends AnyServerCall {
  /** `message` must not be changed afterwards. */
  respond(message: Uint8Array, trailers?: Metadata): void;
}

/** One call with a stream of messages, in either direction or both. Exactly one of `end` and `fail` ends it. */
export interface ServerStream extends AnyServerCall {
  /** `message` must not be changed afterwards. False: it waits for the client; `drained` tells when to go on. */
  send(message: Uint8Array): boolean;
  /** Ends the call with OK. */
  end(trailers?: Metadata): void;
  /** The client's messages wait, the first ones here, the others there, until `resume`. */
  pause(): void;
  resume(): void;
}

/** What a streaming handler does with what the client sends. */
export interface ServerReceiver {
  message(message: Uint8Array): void;
  /** The client has sent its last message. */
  end(): void;
  /** All messages that waited are sent. */
  drained?(): void;
  /**
   * The server closes, takes no new calls and waits for this one, which goes on as before. A call that its client may leave open for as long as it
   * likes should end now. Called at most once.
   */
  closing?(): void;
}

/**
 * Works on bytes: what they mean is the caller's business. `request` may be kept. What it throws is answered INTERNAL, and told to
 * `ServerOptions.onError`.
 */
export type UnaryHandler = (request: Uint8Array, call: ServerCall) => void;

export interface StreamingHandler {
  open(call: ServerStream): ServerReceiver;
}

export type Handler = UnaryHandler | StreamingHandler;

/** By method path: `/spec.proto.runtime.v1.Runtime/PublishEvent`. Any other path is answered UNIMPLEMENTED at once. */
export type Handlers = Readonly<Record<string, Handler>>;

/** A handler of client-streaming, server-streaming and bidirectional methods. */
export function streaming(open: (call: ServerStream) => ServerReceiver): StreamingHandler {
  return { open };
}

export interface ServerOptions {
  readonly handlers: Handlers;
  /** The largest request message, in bytes; a larger one is answered RESOURCE_EXHAUSTED. Default: 4 MiB. */
  readonly maxMessageBytes?: number;
  /** Default: no TLS. */
  readonly tls?: ServerTls;
  readonly limits?: Partial<Limits>;
  /** Connections at once; a further one is closed at once. Default: 10,000. */
  readonly maxConnections?: number;
  /** After this much silence a client is pinged, and dropped when it stays silent. Milliseconds; 0: never. Default: 60 s and 20 s. */
  readonly keepaliveMs?: number;
  readonly keepaliveTimeoutMs?: number;
  /** Asked before each call that there is a handler for; what it returns is the call's answer. For authentication. Must not throw. */
  readonly admit?: (call: AdmissionCall) => { readonly code: Status; readonly details: string } | undefined;
  /** Told of each call's end, and its status: CANCELLED when the client went away. For metrics. Must not throw. */
  readonly onEnd?: (path: string, code: Status) => void;
  /** Told what a handler threw. Default: a warning of the process. */
  readonly onError?: (error: unknown, path: string) => void;
}

export interface Server {
  /** Where it really listens: port 0 has become a number. */
  readonly address: Address;
  /** Takes no new calls, lets the running ones finish, then closes. When `signal` aborts, what still runs is cut off. */
  close(signal?: AbortSignal): Promise<void>;
}

const MAX_MESSAGE_BYTES = 4 * 2 ** 20;

/** Starts to serve. Rejects with a `ListenError` when the address cannot be had, and with Node's error when a TLS file cannot be used. */
export async function listen(address: Address, options: ServerOptions): Promise<Server> {
  const server = new ListeningServer(options);
  await server.listen(address);
  return server;
}

class ListeningServer implements Server {
  address: Address = { host: "", port: 0 };
  readonly #options: ServerOptions;
  readonly #server: NetServer;
  readonly #connections = new Set<GrpcServerConnection>();
  /** Also those that speak no HTTP/2 yet, or any more. */
  readonly #sockets = new Set<Socket>();
  readonly #context: ServerContext;
  #stopReloading: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #emptied: () => void = () => undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#context = {
      handlers: new Map(Object.entries(options.handlers)),
      maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
      deadlines: new Deadlines(),
      admit: options.admit,
      onEnd: options.onEnd,
      threw: (error, call) => {
        call.fail(Status.INTERNAL, "the method failed");
        const told =
          options.onError ?? ((reason: unknown, path: string) => process.emitWarning(`The handler of ${path} threw: ${stackOf(reason)}`));
        told(error, call.path);
      },
      closed: (connection) => {
        this.#connections.delete(connection);
        if (this.#connections.size === 0) this.#emptied();
      },
    };
    this.#server = this.#made(options.tls);
    this.#server.maxConnections = options.maxConnections ?? 10_000;
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  async listen(address: Address): Promise<void> {
    this.address = await listenOn(this.#server, address);
  }

  close(signal?: AbortSignal): Promise<void> {
    this.#closing ??= this.#close();
    const cut = () => {
      for (const connection of this.#connections) {
        connection.end("the server is closed");
        connection.socket.destroy();
      }
      for (const socket of this.#sockets) socket.destroy();
    };
    if (signal?.aborted) cut();
    else signal?.addEventListener("abort", cut, { once: true });
    return this.#closing.finally(() => signal?.removeEventListener("abort", cut));
  }

  async #close(): Promise<void> {
    this.#stopReloading?.();
    const emptied = this.#connections.size === 0 ? Promise.resolve() : new Promise<void>((resolve) => (this.#emptied = resolve));
    for (const connection of this.#connections) connection.drain();
    await Promise.all([emptied, new Promise<void>((resolve) => this.#server.close(() => resolve()))]);
  }

  #made(tls: ServerTls | undefined): NetServer {
    const socketOptions = { highWaterMark: 256 * 1024 };
    if (tls === undefined) return createServer(socketOptions, (socket) => this.#accept(socket));
    const mutual = tls.ca !== undefined;
    const server: TlsServer = tlsModule().createServer(
      {
        ...secureOptions(tls),
        ...socketOptions,
        ALPNProtocols: ["h2"],
        requestCert: mutual,
        rejectUnauthorized: mutual,
        handshakeTimeout: this.#options.limits?.handshakeMs ?? DEFAULT_LIMITS.handshakeMs,
      },
      (socket: TLSSocket) => {
        if (socket.alpnProtocol === "h2") this.#accept(socket);
        else socket.destroy();
      },
    );
    // A handshake that fails is the client's trouble, and told there.
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    this.#stopReloading = reloading(server, tls);
    return server;
  }

  #accept(socket: Socket): void {
    const limits = limitsFor(this.#context.maxMessageBytes, this.#options.limits);
    const { keepaliveMs = 60_000, keepaliveTimeoutMs = 20_000 } = this.#options;
    const interpret = (fields: readonly string[], tooLarge: boolean) => new RequestHead(fields, tooLarge);
    const connection = new GrpcServerConnection(socket, { limits, keepaliveMs, keepaliveTimeoutMs, interpret }, this.#context);
    this.#connections.add(connection);
    if (this.#closing !== undefined) connection.drain();
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
