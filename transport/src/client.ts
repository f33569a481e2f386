import type { Address } from "./address.ts";
import { GrpcClient } from "./grpc/grpc-client.ts";
import type { Limits } from "./http2/limits.ts";
import type { Metadata } from "./metadata.ts";
import type { RpcError } from "./status.ts";
import type { ClientTls } from "./tls.ts";

/**
 * `idle`: not wanted yet. `connecting`: being made. `ready`: calls go through. `unreachable`: failed, and being tried again with backoff until it
 * succeeds.
 */
export type ConnectionState = "idle" | "connecting" | "ready" | "unreachable" | "closed";

/** What came beside an answer. Read when asked for: take what you need, do not spread it. */
export interface ResponseMetadata {
  readonly headers: Metadata;
  readonly trailers: Metadata;
}

/** Gets the outcome of one call: exactly one of the two is called, once. Methods of the caller's own object, so that a call costs no closure. */
export interface UnaryReceiver {
  /** `message` may be kept. */
  response(message: Uint8Array, metadata: ResponseMetadata): void;
  failed(error: RpcError): void;
}

/** Gets what a server sends on a stream. Exactly one of `ended` and `failed` is called, once, and last. */
export interface StreamReceiver {
  /** Metadata before the first message; not called when there is no message at all and the call fails. */
  headers?(metadata: Metadata): void;
  message(message: Uint8Array): void;
  /** With OK. */
  ended(trailers: Metadata): void;
  failed(error: RpcError): void;
  /** All messages that waited are sent. */
  drained?(): void;
}

export interface CallOptions {
  /** Milliseconds since the epoch; then the call fails with DEADLINE_EXCEEDED. Default: none. */
  readonly deadline?: number;
  /** True: a call that finds no connection waits for one, until its deadline. Default: it fails at once with UNAVAILABLE. */
  readonly waitForReady?: boolean;
  readonly metadata?: Metadata;
  /** How messages are compressed, those of 512 bytes and more. Default: they are not. */
  readonly compression?: "gzip";
}

export interface Call {
  /** Ends the call with CANCELLED, unless it is over. */
  cancel(): void;
}

/** The client's side of a stream. */
export interface ClientStream extends Call {
  /** `message` must not be changed afterwards. False: it waits for the server, or for a connection; `drained` tells when to go on. */
  send(message: Uint8Array): boolean;
  /** That was the last message. */
  end(): void;
  /** The server's messages wait, the first ones here, the others there, until `resume`. */
  pause(): void;
  resume(): void;
}

export interface ClientOptions {
  /** The largest response message, in bytes. Default: 4 MiB. */
  readonly maxMessageBytes?: number;
  /** The longest pause between two attempts to connect, in milliseconds; the first is 100 ms. Default: 2 s. */
  readonly maxBackoffMs?: number;
  /** How long an attempt to connect may take, up to the server's first word. Milliseconds; default: 10 s. */
  readonly connectTimeoutMs?: number;
  /** Default: no TLS. */
  readonly tls?: ClientTls;
  /**
   * After this much silence the server is pinged, and left when it stays silent. Milliseconds; 0: never. Default: 0 (many servers drop a client that pings
   * more than once in five minutes; the system's own TCP keepalive is on) and 20 s.
   */
  readonly keepaliveMs?: number;
  readonly keepaliveTimeoutMs?: number;
  readonly limits?: Partial<Limits>;
}

/** One connection to one server, made on demand and made again when it is lost. */
export interface Client {
  readonly state: ConnectionState;
  /** `request` must not be changed afterwards. */
  unary(path: string, request: Uint8Array, receiver: UnaryReceiver, options?: CallOptions): Call;
  /** A call with a stream of messages, in either direction or both. */
  stream(path: string, receiver: StreamReceiver, options?: CallOptions): ClientStream;
  /** Starts connecting if it is idle. */
  wake(): void;
  /** Calls `fn` at each change of state. The returned function ends that. */
  onState(fn: (state: ConnectionState) => void): () => void;
  /** Ends the connection; running calls fail. */
  close(): void;
}

/** Makes a client. No I/O happens before the first call or `wake`. */
export function connect(address: Address, options: ClientOptions = {}): Client {
  return new GrpcClient(address, options);
}
