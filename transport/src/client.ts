import { connectivityState, credentials, Client as GrpcClient, Metadata, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import { type Address, formatAddress } from "./address.ts";
import { RpcError, Status } from "./status.ts";

/** `idle`: not wanted yet. `connecting`: being made. `ready`: calls go through. `unreachable`: failed, and being tried again with backoff. */
export type ConnectionState = "idle" | "connecting" | "ready" | "unreachable" | "closed";

/** Gets the outcome of one call: exactly one of the two is called, once. Methods of the caller's own object, so that a call costs no closure. */
export interface UnaryReceiver {
  response(message: Uint8Array): void;
  failed(error: RpcError): void;
}

export interface CallOptions {
  /** Milliseconds since the epoch; then the call fails with DEADLINE_EXCEEDED. Default: none. */
  readonly deadline?: number;
  /** True: a call that finds no connection waits for one, until its deadline. Default: it fails at once with UNAVAILABLE. */
  readonly waitForReady?: boolean;
}

export interface Call {
  /** Ends the call with CANCELLED, unless it is over. */
  cancel(): void;
}

export interface ClientOptions {
  /** The largest response, in bytes. Default: 4 MiB. */
  readonly maxMessageBytes?: number;
  /** The longest pause between two attempts to connect, in milliseconds. Default: 2 s. */
  readonly maxBackoffMs?: number;
}

/** One connection to one server, made on demand and made again when it is lost. */
export interface Client {
  readonly state: ConnectionState;
  unary(path: string, request: Uint8Array, receiver: UnaryReceiver, options?: CallOptions): Call;
  /** Starts connecting if it is not connected. */
  wake(): void;
  /** Calls `fn` at each change of state. The returned function ends that. */
  onState(fn: (state: ConnectionState) => void): () => void;
  /** Ends the connection; running calls fail. */
  close(): void;
}

const STATES: Readonly<Record<connectivityState, ConnectionState>> = {
  [connectivityState.IDLE]: "idle",
  [connectivityState.CONNECTING]: "connecting",
  [connectivityState.READY]: "ready",
  [connectivityState.TRANSIENT_FAILURE]: "unreachable",
  [connectivityState.SHUTDOWN]: "closed",
};

/** Makes a client. No I/O happens before the first call or `wake`. */
export function connect(address: Address, options: ClientOptions = {}): Client {
  const target = "path" in address ? `unix:${address.path}` : formatAddress(address);
  return new GrpcJsClient(target, options);
}

class GrpcJsClient implements Client {
  readonly #client: GrpcClient;
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  #closed = false;
  #watching = false;

  constructor(target: string, options: ClientOptions) {
    this.#client = new GrpcClient(target, credentials.createInsecure(), {
      "grpc.max_receive_message_length": options.maxMessageBytes ?? 4 * 2 ** 20,
      "grpc.max_send_message_length": -1,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.min_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": options.maxBackoffMs ?? 2_000,
      // One process may hold several clients to one address; each is a connection of its own, as its state is its own.
      "grpc.use_local_subchannel_pool": 1,
      // The library retries by itself unless told not to; a request that may have been seen must not be sent twice.
      "grpc.enable_retries": 0,
    });
  }

  get state(): ConnectionState {
    return this.#closed ? "closed" : STATES[this.#client.getChannel().getConnectivityState(false)];
  }

  unary(path: string, request: Uint8Array, receiver: UnaryReceiver, options: CallOptions = {}): Call {
    let answered = false;
    const call = this.#client.makeUnaryRequest(
      path,
      asBuffer,
      (bytes: Buffer): Uint8Array => bytes,
      request,
      new Metadata({ waitForReady: options.waitForReady ?? false }),
      options.deadline === undefined ? {} : { deadline: options.deadline },
      (error: ServiceError | null, response?: Uint8Array) => {
        if (error) receiver.failed(new RpcError(error.code, error.details, origin(error, answered)));
        else if (response) receiver.response(response);
        else receiver.failed(new RpcError(Status.INTERNAL, "the response is empty", "peer"));
      },
    );
    call.on("metadata", () => {
      answered = true;
    });
    return call;
  }

  wake(): void {
    if (!this.#closed) this.#client.getChannel().getConnectivityState(true);
  }

  onState(fn: (state: ConnectionState) => void): () => void {
    this.#listeners.add(fn);
    this.#watch();
    return () => this.#listeners.delete(fn);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.close();
    this.#listeners.clear();
  }

  #watch(): void {
    if (this.#watching || this.#closed) return;
    this.#watching = true;
    const channel = this.#client.getChannel();
    channel.watchConnectivityState(channel.getConnectivityState(false), Number.POSITIVE_INFINITY, () => {
      this.#watching = false;
      if (this.#closed || this.#listeners.size === 0) return;
      this.#watch();
      const state = this.state;
      for (const listener of this.#listeners) listener(state);
    });
  }
}

function asBuffer(message: Uint8Array): Buffer {
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength);
}

/** A status that a peer sent came with headers; one that the library made up did not. */
function origin(error: StatusObject, answered: boolean): RpcError["from"] {
  if (answered || error.metadata.get("content-type").length > 0) return "peer";
  return error.code === Status.UNAVAILABLE && /^No connection established|^Name resolution failed/.test(error.details)
    ? "unsent"
    : "connection";
}
