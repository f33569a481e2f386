import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import {
  type ClientHttp2Session,
  createServer as createHttp2Server,
  connect as dialHttp2,
  type ServerOptions as Http2Options,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Address,
  type CallOptions,
  type Client,
  type ClientOptions,
  type ClientStream,
  type ConnectionState,
  connect,
  type Handlers,
  listen,
  type Metadata,
  type ResponseMetadata,
  type RpcError,
  type Server,
  type ServerOptions,
  type StreamReceiver,
} from "./index.ts";

export type TcpAddress = { readonly host: string; readonly port: number };

export const LOOPBACK: TcpAddress = { host: "127.0.0.1", port: 0 };
export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
/** A different byte at each place, as far as there are: what is lost, doubled or out of order shows. */
export const pattern = (length: number, seed = 0): Buffer => {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) + seed) & 0xff;
  return bytes;
};

/** What a test opened, to be closed after it. */
export class Bed {
  readonly #cleanups: (() => unknown)[] = [];

  after(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  readonly clean = async (): Promise<void> => {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  };

  async serve(handlers: Handlers, options: Omit<ServerOptions, "handlers"> = {}, address: Address = LOOPBACK): Promise<Server> {
    const server = await listen(address, { ...options, handlers });
    this.after(() => server.close(AbortSignal.abort()));
    return server;
  }

  client(address: Address, options?: ClientOptions): Client {
    const client = connect(address, options);
    this.after(() => client.close());
    return client;
  }

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "layotto-transport-"));
    this.after(() => rm(folder, { recursive: true }));
    return folder;
  }

  /** A server of bare TCP. */
  async tcp(accept: (socket: Socket) => void, port = 0): Promise<TcpServer> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      // Whoever is cut off in the middle is no failure of the test.
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
      accept(socket);
    });
    await once(server.listen(port, "127.0.0.1"), "listening");
    this.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return { server, sockets, address: addressOf(server) };
  }

  /** Node's own HTTP/2 server, which knows nothing of gRPC. */
  async http2(onStream: OnStream, options: Http2Options = {}): Promise<RawServer> {
    const sessions: ServerHttp2Session[] = [];
    const server = createHttp2Server(options);
    server.on("session", (session) => {
      session.on("error", () => undefined);
      sessions.push(session);
    });
    server.on("sessionError", () => undefined);
    server.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      onStream(stream, headers);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    this.after(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    return { server, sessions, address: addressOf(server) };
  }

  /** Node's own HTTP/2 client. */
  session(address: TcpAddress): ClientHttp2Session {
    const session = dialHttp2(`http://${address.host}:${address.port}`);
    session.on("error", () => undefined);
    this.after(() => session.destroy());
    return session;
  }
}

type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

export interface TcpServer {
  readonly server: NetServer;
  readonly sockets: ReadonlySet<Socket>;
  readonly address: TcpAddress;
}

export interface RawServer {
  readonly server: Http2Server;
  readonly sessions: readonly ServerHttp2Session[];
  readonly address: TcpAddress;
}

export function addressOf(server: Pick<NetServer, "address">): TcpAddress {
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

export function tcp(server: Server): TcpAddress {
  return server.address as TcpAddress;
}

/** A port that nobody listens on, so far. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await once(probe.listen(0, "127.0.0.1"), "listening");
  const { port } = addressOf(probe);
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** One message with gRPC's prefix. */
export function framed(message: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Answers OK, as a gRPC server does. */
export function answerOk(stream: ServerHttp2Stream, message: Uint8Array): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(framed(message));
}

export interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A request over Node's HTTP/2, as a gRPC client sends it unless `headers` say otherwise. */
export async function rawCall(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): Promise<RawAnswer> {
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...headers });
  let first: IncomingHttpHeaders = {};
  let last: IncomingHttpHeaders = {};
  stream.on("response", (came) => {
    first = came;
  });
  stream.on("trailers", (came) => {
    last = came;
  });
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.end(body);
  await once(stream, "close");
  return { headers: first, trailers: last, body: Buffer.concat(chunks) };
}

export interface Answer {
  readonly message: Uint8Array;
  readonly metadata: ResponseMetadata;
}

export function answer(client: Client, path: string, request: string | Uint8Array, options?: CallOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    client.unary(path, Buffer.from(request), { response: (message, metadata) => resolve({ message, metadata }), failed: reject }, options);
  });
}

export async function call(client: Client, path: string, request: string | Uint8Array, options?: CallOptions): Promise<Uint8Array> {
  return (await answer(client, path, request, options)).message;
}

export async function failure(outcome: Promise<unknown>): Promise<RpcError> {
  try {
    await outcome;
  } catch (error) {
    return error as RpcError;
  }
  throw new Error("the call succeeded");
}

/** What tells one failure from another. */
export async function outcome(call: Promise<unknown>): Promise<[code: number, from: RpcError["from"]]> {
  const { code, from } = await failure(call);
  return [code, from];
}

/** When it next comes to be in `state`, or is. */
export function reached(client: Client, state: ConnectionState): Promise<void> {
  return new Promise((resolve) => {
    if (client.state === state) {
      resolve();
      return;
    }
    const off = client.onState((now) => {
      if (now !== state) return;
      off();
      resolve();
    });
  });
}

/** A client's stream as promises. It notes what must not happen: anything after the end. */
export class Conversation implements StreamReceiver {
  readonly stream: ClientStream;
  readonly messages: Uint8Array[] = [];
  readonly wrongs: string[] = [];
  readonly #end = Promise.withResolvers<Metadata>();
  readonly #headers = Promise.withResolvers<Metadata>();
  #wanted: (() => void) | undefined;
  #drained: (() => void) | undefined;
  #read = 0;
  #over = false;

  constructor(client: Client, path: string, options?: CallOptions) {
    this.#end.promise.catch(() => undefined);
    this.stream = client.stream(path, this, options);
  }

  /** The trailers; rejects with what the call failed with. */
  get end(): Promise<Metadata> {
    return this.#end.promise;
  }

  get initial(): Promise<Metadata> {
    return this.#headers.promise;
  }

  async next(): Promise<Uint8Array> {
    while (this.messages.length === this.#read) {
      const came = new Promise<void>((resolve) => {
        this.#wanted = resolve;
      });
      await Promise.race([
        came,
        this.#end.promise.then(() => {
          if (this.messages.length === this.#read) throw new Error("the stream ended instead");
        }),
      ]);
    }
    return this.messages[this.#read++] as Uint8Array;
  }

  /** Sends, and waits for room if there is none. */
  async send(message: Uint8Array): Promise<void> {
    const room = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    if (!this.stream.send(message)) await Promise.race([room, this.#end.promise.catch(() => undefined)]);
  }

  headers(metadata: Metadata): void {
    this.#note("headers");
    this.#headers.resolve(metadata);
  }

  message(message: Uint8Array): void {
    this.#note("message");
    this.messages.push(message);
    this.#wanted?.();
  }

  ended(trailers: Metadata): void {
    this.#note("ended");
    this.#over = true;
    this.#end.resolve(trailers);
  }

  failed(error: RpcError): void {
    this.#note("failed");
    this.#over = true;
    this.#end.reject(error);
  }

  drained(): void {
    this.#note("drained");
    this.#drained?.();
  }

  #note(what: string): void {
    if (this.#over) this.wrongs.push(what);
  }
}
