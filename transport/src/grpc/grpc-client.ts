import { connect as connectTcp, isIP, type Socket } from "node:net";
import { type Address, formatAddress } from "../address.ts";
import type { Call, CallOptions, Client, ClientOptions, ClientStream, ConnectionState, StreamReceiver, UnaryReceiver } from "../client.ts";
import type { HeaderField } from "../hpack/encoder.ts";
import { ClientConnection, type ClientConnectionOwner } from "../http2/client-connection.ts";
import type { Connection } from "../http2/connection.ts";
import { HeaderTemplate } from "../http2/header-template.ts";
import { limitsFor } from "../http2/limits.ts";
import { RpcError, Status } from "../status.ts";
import { secureOptions, tlsModule } from "../tls.ts";
import { Deadlines } from "./deadlines.ts";
import { ACCEPT_FIELD } from "./header-fields.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import { ResponseHead } from "./response-head.ts";
import { StreamingClientCall } from "./streaming-client-call.ts";
import { UnaryClientCall } from "./unary-client-call.ts";

const MAX_MESSAGE_BYTES = 4 * 2 ** 20;
const FIRST_BACKOFF_MS = 100;
/** gRPC's "Connection Backoff Protocol". */
const BACKOFF_FACTOR = 1.6;
const BACKOFF_JITTER = 0.2;

/** Keeps one connection to one server, and the calls that wait for it. */
export class GrpcClient implements Client, ClientConnectionOwner<ResponseHead> {
  readonly maxMessageBytes: number;
  readonly deadlines = new Deadlines();
  readonly #address: Address;
  readonly #options: ClientOptions;
  readonly #firstStreamId: number;
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  /** Calls that wait: for a connection, or for room on it. In their order. */
  readonly #waiting = new Set<OutgoingCall>();
  /** All connections that are not closed: also those that the server ends after the calls that run on them. */
  readonly #open = new Map<ClientConnection<ResponseHead>, Map<string, HeaderTemplate>>();
  readonly #fields = new Map<string, readonly HeaderField[]>();
  /** A call that is begun may end at once, and make room for the next. */
  #admitting = false;
  #state: ConnectionState = "idle";
  #connection: ClientConnection<ResponseHead> | undefined;
  #socket: Socket | undefined;
  #backoffMs = FIRST_BACKOFF_MS;
  #retry: NodeJS.Timeout | undefined;
  #dialledAt = Number.NEGATIVE_INFINITY;
  #failure = "";

  /** `firstStreamId` of each connection: tests begin near the last. */
  constructor(address: Address, options: ClientOptions, firstStreamId = 1) {
    this.#address = address;
    this.#options = options;
    this.#firstStreamId = firstStreamId;
    this.maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  unary(path: string, request: Uint8Array, receiver: UnaryReceiver, options: CallOptions = NO_OPTIONS): Call {
    return this.#begin(new UnaryClientCall(this, path, request, receiver, options));
  }

  stream(path: string, receiver: StreamReceiver, options: CallOptions = NO_OPTIONS): ClientStream {
    return this.#begin(new StreamingClientCall(this, path, receiver, options));
  }

  wake(): void {
    if (this.#state === "idle") this.#connect("connecting");
  }

  onState(fn: (state: ConnectionState) => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#listeners.clear();
    clearTimeout(this.#retry);
    for (const call of [...this.#waiting]) call.abandon(new RpcError(Status.CANCELLED, "the client is closed", "unsent"));
    for (const connection of [...this.#open.keys()]) connection.end("the client is closed");
    this.#socket?.destroy();
  }

  /** Starts a call, or lets it wait. */
  submit(call: OutgoingCall): void {
    const connection = this.#connection;
    if (connection?.hasRoom && this.#waiting.size === 0) {
      call.start(connection);
      return;
    }
    if (this.#state === "closed") {
      this.#refuse(call, new RpcError(Status.CANCELLED, "the client is closed", "unsent"));
      return;
    }
    if (this.#state === "unreachable" && !call.options.waitForReady) {
      this.#refuse(call, this.#unreachable());
      return;
    }
    this.#waiting.add(call);
    this.#retry?.ref();
    if (this.#state === "idle") this.#connect("connecting");
  }

  /** A call is over. */
  withdraw(call: OutgoingCall): void {
    if (this.#waiting.size > 0) this.#waiting.delete(call);
  }

  fieldsOf(path: string): readonly HeaderField[] {
    let fields = this.#fields.get(path);
    if (fields === undefined) {
      fields = [
        [":method", "POST", "index"],
        [":scheme", this.#options.tls === undefined ? "http" : "https", "index"],
        [":path", path, "index"],
        [":authority", this.#authority(), "index"],
        ["content-type", "application/grpc", "index"],
        ["te", "trailers", "index"],
        ["user-agent", "grpc-node-layotto-transport", "index"],
        ACCEPT_FIELD,
      ];
      this.#fields.set(path, fields);
    }
    return fields;
  }

  templateOf(connection: Connection<ResponseHead>, path: string): HeaderTemplate {
    const templates = this.#open.get(connection as ClientConnection<ResponseHead>) ?? new Map<string, HeaderTemplate>();
    let template = templates.get(path);
    if (template === undefined) {
      template = new HeaderTemplate(this.fieldsOf(path));
      templates.set(path, template);
    }
    return template;
  }

  ready(connection: ClientConnection<ResponseHead>): void {
    this.#backoffMs = FIRST_BACKOFF_MS;
    this.#connection = connection;
    this.#enter("ready");
    this.roomier(connection);
  }

  draining(connection: ClientConnection<ResponseHead>): void {
    if (this.#connection === connection) this.#lost();
  }

  roomier(connection: ClientConnection<ResponseHead>): void {
    if (this.#admitting || this.#waiting.size === 0 || connection !== this.#connection) return;
    this.#admitting = true;
    try {
      for (const call of this.#waiting) {
        if (!connection.hasRoom) break;
        this.#waiting.delete(call);
        call.start(connection);
      }
    } finally {
      this.#admitting = false;
    }
  }

  closed(connection: ClientConnection<ResponseHead>, reason: string): void {
    const wasReady = this.#connection === connection;
    this.#open.delete(connection);
    if (this.#state === "closed") return;
    if (wasReady) this.#lost();
    else if (this.#socket === connection.socket) this.#failed(reason);
  }

  #begin<Kind extends OutgoingCall>(call: Kind): Kind {
    if (call.deadline !== undefined) {
      if (call.deadline <= Date.now()) {
        this.#refuse(call, new RpcError(Status.DEADLINE_EXCEEDED, "the deadline has passed", "unsent"));
        return call;
      }
      this.deadlines.add(call);
    }
    this.submit(call);
    return call;
  }

  /** Not before the caller has its call in hand. */
  #refuse(call: OutgoingCall, error: RpcError): void {
    process.nextTick(() => call.abandon(error));
  }

  #unreachable(): RpcError {
    return new RpcError(Status.UNAVAILABLE, `${formatAddress(this.#address)} cannot be reached: ${this.#failure}`, "unsent");
  }

  /** The connection is no more, or takes no new calls. */
  #lost(): void {
    this.#connection = undefined;
    this.#socket = undefined;
    this.#enter("idle");
    if (this.#state === "idle" && this.#waiting.size > 0) this.#connect("connecting");
  }

  #connect(state: ConnectionState): void {
    this.#enter(state);
    if (this.#state === "closed") return;
    // A server that greets and hangs up must not be called in a loop.
    const gap = this.#dialledAt + FIRST_BACKOFF_MS - performance.now();
    if (gap > 0) {
      this.#connectIn(gap, state);
      return;
    }
    this.#dialledAt = performance.now();
    let socket: Socket;
    try {
      socket = this.#dial();
    } catch (error) {
      // A TLS file that cannot be read; it may be there at the next try. Not before the caller has its call in hand.
      process.nextTick(() => this.#failed(error instanceof Error ? error.message : String(error)));
      return;
    }
    this.#socket = socket;
    const { limits, connectTimeoutMs = 10_000, keepaliveMs = 0, keepaliveTimeoutMs = 20_000 } = this.#options;
    const connection = new ClientConnection<ResponseHead>(
      socket,
      {
        limits: limitsFor(this.maxMessageBytes, { handshakeMs: connectTimeoutMs, ...limits }),
        keepaliveMs,
        keepaliveTimeoutMs,
        interpret: (fields, tooLarge) => new ResponseHead(fields, tooLarge),
      },
      this,
      this.#firstStreamId,
    );
    this.#open.set(connection, new Map());
  }

  #dial(): Socket {
    const { tls } = this.#options;
    const address = this.#address;
    const target = "path" in address ? { path: address.path } : { host: address.host, port: address.port };
    const buffers = { writableHighWaterMark: 256 * 1024 };
    if (tls === undefined) return connectTcp({ ...target, ...buffers });
    const name = tls.serverName ?? ("host" in address ? address.host : "localhost");
    const secure = { ...secureOptions(tls), rejectUnauthorized: tls.verify !== false, ALPNProtocols: ["h2"] };
    return tlsModule().connect({ ...target, ...buffers, ...secure, ...(isIP(name) ? {} : { servername: name }) });
  }

  #failed(reason: string): void {
    this.#failure = reason;
    this.#socket = undefined;
    this.#enter("unreachable");
    if (this.#state !== "unreachable") return;
    for (const call of [...this.#waiting]) if (!call.options.waitForReady) call.abandon(this.#unreachable());
    const jitter = 1 + BACKOFF_JITTER * (2 * Math.random() - 1);
    this.#connectIn(this.#backoffMs * jitter, "unreachable");
    this.#backoffMs = Math.min(this.#backoffMs * BACKOFF_FACTOR, this.#options.maxBackoffMs ?? 2_000);
  }

  #connectIn(ms: number, state: ConnectionState): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(state), ms);
    if (this.#waiting.size === 0) this.#retry.unref();
  }

  #enter(state: ConnectionState): void {
    if (this.#state === state || this.#state === "closed") return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }

  #authority(): string {
    const address = this.#address;
    const name = this.#options.tls?.serverName;
    if ("path" in address) return name ?? "localhost";
    return formatAddress(name === undefined ? address : { ...address, host: name });
  }
}

const NO_OPTIONS: CallOptions = {};
