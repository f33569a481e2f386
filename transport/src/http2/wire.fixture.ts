import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { Deadlines } from "../grpc/deadlines.ts";
import { RequestHead } from "../grpc/request-head.ts";
import { GrpcServerConnection, type ServerContext } from "../grpc/server-connection.ts";
import { handlers } from "./abused-server.fixture.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { RawPeer } from "./raw-peer.fixture.ts";

/** As much of a socket as a connection needs. What arrives, and in which pieces, the test says: the network has no say in it. */
class Wire extends Duplex {
  readonly #written: (chunk: Buffer) => void;

  constructor(written: (chunk: Buffer) => void) {
    super();
    this.#written = written;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // The memory is the outbox's own.
    this.#written(Buffer.from(chunk));
    done();
  }
}

/** A server's connection without a network, and its peer. */
export class WiredServer {
  readonly connection: GrpcServerConnection;
  /** Reads what the connection sends. */
  readonly peer: RawPeer;
  /** Calls that a handler was found for, and ends of such calls. */
  begun = 0;
  ended = 0;
  threw: unknown;
  readonly #wire: Wire;

  constructor(limits: Partial<Limits> = {}) {
    const toPeer = new Wire(() => undefined);
    this.peer = new RawPeer(toPeer as unknown as Socket);
    this.#wire = new Wire((chunk) => toPeer.emit("data", chunk));
    const context: ServerContext = {
      handlers: new Map(Object.entries(handlers)),
      maxMessageBytes: 100_000,
      deadlines: new Deadlines(),
      admit: () => {
        this.begun += 1;
        return undefined;
      },
      onEnd: (path) => {
        if (Object.hasOwn(handlers, path)) this.ended += 1;
      },
      threw: (error) => {
        this.threw = error;
      },
      closed: () => undefined,
    };
    const interpret = (fields: readonly string[], tooLarge: boolean) => new RequestHead(fields, tooLarge);
    const options = { limits: { ...DEFAULT_LIMITS, ...limits }, keepaliveMs: 0, keepaliveTimeoutMs: 0, interpret };
    this.connection = new GrpcServerConnection(this.#wire as unknown as Socket, options, context);
  }

  /** Lets a chunk arrive. What the connection throws comes through. */
  arrive(chunk: Buffer): void {
    this.#wire.emit("data", chunk);
  }

  /** Waits until what there is to send has been sent: the outbox sends once in each turn of the event loop. */
  async settled(): Promise<void> {
    let before = -1;
    while (before !== this.peer.frames.length) {
      before = this.peer.frames.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The peer hangs up. Throws when something is left behind. */
  async hangUp(): Promise<void> {
    const { connection } = this;
    this.#wire.emit("end");
    await this.settled();
    this.#wire.destroy();
    this.peer.destroy();
    const { maxHeldBytes } = connection.limits;
    const left = {
      reading: connection.reading,
      streams: connection.streams.size,
      queued: connection.sender.queued,
      running: this.begun - this.ended,
      threw: this.threw,
      // Exactly as much fits in as does when nothing is held.
      held: connection.held.hold(maxHeldBytes + 1) || !connection.held.hold(maxHeldBytes),
    };
    const nothing = { reading: false, streams: 0, queued: 0, running: 0, threw: undefined, held: false };
    if (JSON.stringify(left) !== JSON.stringify(nothing)) throw new Error(`left behind: ${JSON.stringify(left)}`);
  }
}
