import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectByTls } from "node:tls";
import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { FreshMap } from "../../pubsub/fresh-map.ts";
import { reasonOf } from "../reason.ts";
import type { Api } from "./wire/api.ts";
import { Reader, WireError } from "./wire/reader.ts";
import { Writer } from "./wire/writer.ts";

/** Gets what the broker answered, or the error that the request came to. */
export type Answered = (error: PubSubError | undefined, reader: Reader | undefined) => void;

interface Request {
  readonly name: string;
  readonly flexible: boolean;
  readonly sent: number;
  readonly timeoutMs: number;
  readonly answered: Answered;
}

export interface Dialing {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly tls: ConnectionOptions | undefined;
  readonly dialTimeoutMs: number;
  readonly clock: Clock;
}

const KEEPALIVE_MS = 5_000;
/** How often requests are looked at whose time may be over. */
const LOOK_MS = 100;

/** Throws a PubSubError when it cannot even be tried. */
function socketTo({ host, port, tls }: Dialing): Socket {
  try {
    return tls ? connectByTls({ ...tls, host, port }) : connect({ host, port });
  } catch (error) {
    // A port that is none is a broker's word; certificates and keys are the configuration's.
    const permanent = (error as NodeJS.ErrnoException).code !== "ERR_SOCKET_BAD_PORT";
    throw new PubSubError(permanent ? "invalid_argument" : "unavailable", `${host}:${port}: ${reasonOf(error as Error)}`, { permanent });
  }
}

/**
 * One connection to one broker. It carries requests and gives each its answer, once; when it ends, what it owes fails. It is not made
 * again: whoever needs another one makes it.
 */
export class Connection {
  readonly #dialing: Dialing;
  readonly #socket: Socket;
  readonly #owed = new FreshMap<number, Request>();
  #correlation = 0;
  /** Since when it owes an answer and has given none, on the clock's monotonic scale. */
  #silentSince = 0;
  /** From when on the broker listens: what waits behind a throttle has its time from then. */
  #listens = 0;
  #chunks: Buffer[] = [];
  #gathered = 0;
  #wanted = 4;
  #looking = false;
  #retired = false;
  /** What the broker speaks: the newest version of each kind of request. */
  speaks: ReadonlyMap<number, number> = new Map();
  #ended: PubSubError | undefined;
  #onEnd: (error: PubSubError) => void = () => undefined;

  private constructor(dialing: Dialing, socket: Socket) {
    this.#dialing = dialing;
    this.#socket = socket;
  }

  /** Resolves when it is there. Rejects with a PubSubError when the broker cannot be reached. */
  static dial(dialing: Dialing): Promise<Connection> {
    const { host, port, tls, clock } = dialing;
    const where = `${host}:${port}`;
    return new Promise((resolve, reject) => {
      const socket = socketTo(dialing);
      const connection = new Connection(dialing, socket);
      const cancel = clock.after(dialing.dialTimeoutMs, () => connection.drop(`${where} did not answer in ${dialing.dialTimeoutMs} ms`));
      connection.#onEnd = (error) => {
        cancel();
        reject(error);
      };
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEPALIVE_MS);
      socket.on("data", (chunk: Buffer) => connection.#data(chunk));
      socket.on("error", (error) => connection.drop(reasonOf(error)));
      socket.on("close", () => connection.drop("closed by the broker"));
      socket.once(tls ? "secureConnect" : "connect", () => {
        cancel();
        connection.#onEnd = () => undefined;
        resolve(connection);
      });
    });
  }

  get where(): string {
    return `${this.#dialing.host}:${this.#dialing.port}`;
  }

  /** For how many milliseconds it has owed an answer and given none, while it listens. */
  get silentMs(): number {
    return this.#owed.size === 0 ? 0 : Math.max(0, this.#dialing.clock.elapsed() - Math.max(this.#silentSince, this.#listens));
  }

  get up(): boolean {
    return this.#ended === undefined;
  }

  /** Calls `fn` once, when the connection has ended. */
  onEnd(fn: (error: PubSubError) => void): void {
    if (this.#ended) fn(this.#ended);
    else this.#onEnd = fn;
  }

  /** `write` writes the request behind its header, about `bytes` long. A connection that has ended fails it at once. */
  send(
    api: Pick<Api<never, unknown>, "name" | "key" | "version" | "flexible">,
    write: (writer: Writer) => void,
    timeoutMs: number,
    answered: Answered,
    bytes?: number,
  ): void {
    if (this.#ended) {
      answered(new PubSubError(this.#ended.code, this.#ended.message, { permanent: this.#ended.permanent }), undefined);
      return;
    }
    this.#correlation = (this.#correlation + 1) & 0x7fffffff;
    const flexible = api.flexible === true;
    const writer = new Writer(bytes);
    writer.skip(4);
    writer.int16(api.key).int16(api.version).int32(this.#correlation).string(this.#dialing.clientId);
    if (flexible) writer.untagged();
    write(writer);
    writer.int32At(0, writer.length - 4);
    const sent = this.#dialing.clock.elapsed();
    if (this.#owed.size === 0) this.#silentSince = sent;
    this.#owed.set(this.#correlation, { name: api.name, flexible, sent, timeoutMs, answered });
    this.#socket.write(writer.written);
    this.#lookLater();
  }

  /** Rejects with a PubSubError. */
  call<Query, Answer>(api: Api<Query, Answer>, query: Query, timeoutMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.send(
        api,
        (writer) => api.write(writer, query),
        timeoutMs,
        (error, reader) => {
          if (error) reject(error);
          else resolve(api.read(reader as Reader));
        },
      );
    });
  }

  /** Ends it. What it owes fails: it may have been done. */
  drop(why: string, permanent = false): void {
    if (this.#ended) return;
    const error = new PubSubError("unavailable", `${this.where}: ${why}`, { permanent });
    this.#ended = error;
    this.#socket.destroy();
    const owed = [...this.#owed.values()];
    for (const id of [...this.#owed.keys()]) this.#owed.delete(id);
    for (const { name, answered } of owed)
      answered(new PubSubError("unavailable", `${name}: ${this.where}: ${why}`, { outcome: "unknown" }), undefined);
    this.#onEnd(error);
  }

  /** Ends once it owes nothing. Nobody asks it for more. */
  retire(): void {
    this.#retired = true;
    if (this.#owed.size === 0) this.drop("not needed any more");
  }

  #lookLater(): void {
    if (this.#looking || this.#ended) return;
    this.#looking = true;
    this.#dialing.clock.after(LOOK_MS, () => {
      this.#looking = false;
      const now = this.#dialing.clock.elapsed();
      const late = [...this.#owed.values()].find(({ sent, timeoutMs }) => Math.max(sent, this.#listens) + timeoutMs <= now);
      if (late) this.drop(`${late.name} was not answered in time`);
      else if (this.#owed.size > 0) this.#lookLater();
    });
  }

  /** Frames are put together once, when the last byte of one is there. */
  #data(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#gathered += chunk.length;
    if (this.#gathered < this.#wanted) return;
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#gathered);
    for (;;) {
      this.#wanted = bytes.length < 4 ? 4 : 4 + bytes.readInt32BE(0);
      if (this.#wanted < 4) {
        this.drop("what it sends is no answer of Kafka's");
        return;
      }
      if (bytes.length < this.#wanted) break;
      const frame = bytes.subarray(4, this.#wanted);
      bytes = bytes.subarray(this.#wanted);
      this.#frame(frame);
      if (this.#ended) return;
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#gathered = bytes.length;
  }

  #frame(frame: Buffer): void {
    const reader = new Reader(frame);
    const id = frame.length < 4 ? -1 : reader.int32();
    const request = this.#owed.get(id);
    if (!request) {
      this.drop("it answers what was not asked: is it a Kafka, and does it want TLS?");
      return;
    }
    this.#owed.delete(id);
    this.#silentSince = this.#dialing.clock.elapsed();
    try {
      if (request.flexible) reader.tagged();
      request.answered(undefined, reader);
      if (reader.throttleMs > 0) this.#listens = this.#silentSince + reader.throttleMs;
    } catch (error) {
      // An answer that cannot be read is the broker's; anything else is a fault of ours, and must be seen.
      if (!(error instanceof WireError)) throw error;
      request.answered(new PubSubError("internal", `${request.name}: ${this.where}: ${error.message}`, { outcome: "unknown" }), undefined);
    }
    if (this.#retired && this.#owed.size === 0) this.drop("not needed any more");
  }
}
