import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Address } from "../address.ts";
import { HpackDecoder } from "../hpack/decoder.ts";
import { type HeaderField, HpackEncoder } from "../hpack/encoder.ts";
import { Flag, Frame, PREFACE } from "./protocol.ts";

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

/** What came on one stream. */
export interface RawStream {
  /** Each header section, in its order. */
  readonly sections: Readonly<Record<string, string>>[];
  readonly data: Buffer[];
  ended: boolean;
  /** The code of RST_STREAM. */
  reset: number | undefined;
}

export interface GoneAway {
  readonly lastId: number;
  readonly code: number;
  readonly reason: string;
}

export function frame(type: number, flags: number, id: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(id, 5);
  bytes.set(payload, 9);
  return bytes;
}

export const data = (id: number, payload: Uint8Array = new Uint8Array(), ended = false) =>
  frame(Frame.DATA, ended ? Flag.END_STREAM : 0, id, payload);

/** With this much padding, and the byte that says so. */
export const padded = (id: number, payload: Uint8Array, padding: number, ended = false) =>
  frame(Frame.DATA, Flag.PADDED | (ended ? Flag.END_STREAM : 0), id, Buffer.concat([Buffer.of(padding), payload, Buffer.alloc(padding)]));

export const headers = (id: number, block: Uint8Array, ended = false, complete = true) =>
  frame(Frame.HEADERS, (ended ? Flag.END_STREAM : 0) | (complete ? Flag.END_HEADERS : 0), id, block);

export const continuation = (id: number, block: Uint8Array, complete = false) =>
  frame(Frame.CONTINUATION, complete ? Flag.END_HEADERS : 0, id, block);

export const reset = (id: number, code: number) => frame(Frame.RST_STREAM, 0, id, uint32(code));
export const windowUpdate = (id: number, bytes: number) => frame(Frame.WINDOW_UPDATE, 0, id, uint32(bytes));
export const ping = (payload: Uint8Array = new Uint8Array(8)) => frame(Frame.PING, 0, 0, payload);
export const priority = (id: number) => frame(Frame.PRIORITY, 0, id, Buffer.of(0, 0, 0, 0, 15));

export type SettingEntry = readonly [id: number, value: number];

export function settings(...entries: readonly SettingEntry[]): Buffer {
  const payload = Buffer.alloc(6 * entries.length);
  entries.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  });
  return frame(Frame.SETTINGS, 0, 0, payload);
}

export function goAway(lastId: number, code: number): Buffer {
  return frame(Frame.GOAWAY, 0, 0, Buffer.concat([uint32(lastId), uint32(code)]));
}

/** A message with the flag and the length that go before it. */
export function message(payload: Uint8Array, { flag = 0, length = payload.length } = {}): Buffer {
  return Buffer.concat([Buffer.of(flag), uint32(length), payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function requestFields(path: string, ...more: readonly HeaderField[]): HeaderField[] {
  return [
    [":method", "POST", "index"],
    [":scheme", "http", "index"],
    [":path", path, "index"],
    [":authority", "localhost", "index"],
    ["content-type", "application/grpc", "index"],
    ["te", "trailers", "index"],
    ...more,
  ];
}

interface Waiter {
  readonly look: () => boolean;
  readonly reject: (error: Error) => void;
  readonly what: string;
}

/** One end of an HTTP/2 connection, written by hand: it sends what it is told to, allowed or not, and reads what comes. */
export class RawPeer {
  readonly socket: Socket;
  readonly encoder = new HpackEncoder();
  readonly frames: RawFrame[] = [];
  readonly streams = new Map<number, RawStream>();
  readonly goneAway: GoneAway[] = [];
  isClosed = false;
  /** Called with each frame, when it came. */
  onFrame: ((frame: RawFrame) => void) | undefined;
  readonly #decoder = new HpackDecoder<Readonly<Record<string, string>>>({ interpret: recordOf, maxListBytes: 2 ** 20 });
  readonly #waiters = new Set<Waiter>();
  #rest = Buffer.alloc(0);
  #skip: number;
  #block: Buffer[] = [];
  #blockFlags = 0;

  /** `skip`: so many bytes come before the first frame. */
  constructor(socket: Socket, skip = 0) {
    this.socket = socket;
    this.#skip = skip;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    // What it sends after the other end has closed does not matter.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#close());
  }

  /** A client that has not said hello. `ca`: over TLS, with a server of that authority; a file in PEM. */
  static async dial(address: Address, ca?: string): Promise<RawPeer> {
    if (ca === undefined) {
      const socket = connect(address);
      await once(socket, "connect");
      return new RawPeer(socket);
    }
    const socket = connectTls({ ...address, ca: readFileSync(ca), ALPNProtocols: ["h2"] });
    await once(socket, "secureConnect");
    return new RawPeer(socket);
  }

  hello(...entries: readonly SettingEntry[]): void {
    this.send(PREFACE, settings(...entries));
  }

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** HEADERS of a request. */
  open(id: number, path: string, ended = false, ...more: readonly HeaderField[]): Buffer {
    return headers(id, this.encoder.encode(requestFields(path, ...more)), ended);
  }

  /** HEADERS and one message. */
  call(id: number, path: string, payload: Uint8Array = new Uint8Array()): Buffer {
    return Buffer.concat([this.open(id, path), data(id, message(payload), true)]);
  }

  /** What `look` finds, as soon as it does. Rejects when the connection is closed before. */
  until<Found>(what: string, look: () => Found | undefined): Promise<Found> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        what,
        reject,
        look: () => {
          const found = look();
          if (found !== undefined) resolve(found);
          return found !== undefined;
        },
      };
      if (waiter.look()) return;
      if (this.isClosed) this.#tellLost(waiter);
      else this.#waiters.add(waiter);
    });
  }

  /** A stream, once it has ended or was reset. */
  ended(id: number): Promise<RawStream> {
    return this.until(`the end of stream ${id}`, () => {
      const stream = this.streams.get(id);
      return stream !== undefined && (stream.ended || stream.reset !== undefined) ? stream : undefined;
    });
  }

  /** The status of a call, once it has one. */
  async status(id: number): Promise<{ readonly code: number; readonly details: string }> {
    const { sections, reset } = await this.ended(id);
    const last = sections.at(-1) ?? {};
    if (last["grpc-status"] === undefined) throw new Error(`stream ${id} has no status: ${JSON.stringify({ sections, reset })}`);
    return { code: Number(last["grpc-status"]), details: decodeURIComponent(last["grpc-message"] ?? "") };
  }

  /** A frame that was sent to it. */
  came(type: number, matches: (frame: RawFrame) => boolean = () => true): Promise<RawFrame> {
    return this.until(`a frame of type ${type}`, () => this.frames.find((one) => one.type === type && matches(one)));
  }

  /** PING there and back: what was sent before has been dealt with. */
  async roundTrip(payload: Uint8Array = Buffer.from("roundabt")): Promise<void> {
    const before = this.frames.length;
    this.send(ping(payload));
    await this.until("the answer to a PING", () =>
      this.frames.slice(before).find((one) => one.type === Frame.PING && (one.flags & Flag.ACK) !== 0 && one.payload.equals(payload)),
    );
  }

  /** GOAWAY, and the end of the connection after it. */
  async ousted(): Promise<GoneAway> {
    await this.closed();
    const told = this.goneAway.at(-1);
    if (told === undefined) throw new Error("the connection was closed without GOAWAY");
    return told;
  }

  async closed(): Promise<void> {
    await this.until("the close", () => (this.isClosed ? true : undefined));
  }

  destroy(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    const skipped = Math.min(this.#skip, chunk.length);
    this.#skip -= skipped;
    let buffer = Buffer.concat([this.#rest, chunk.subarray(skipped)]);
    while (buffer.length >= 9 && buffer.length >= 9 + buffer.readUIntBE(0, 3)) {
      const end = 9 + buffer.readUIntBE(0, 3);
      const one = { type: buffer[3] as number, flags: buffer[4] as number, id: buffer.readUInt32BE(5), payload: buffer.subarray(9, end) };
      buffer = buffer.subarray(end);
      this.#take(one);
    }
    this.#rest = buffer;
    this.#look();
  }

  #take(one: RawFrame): void {
    this.frames.push(one);
    if (one.type === Frame.GOAWAY) {
      const { payload } = one;
      this.goneAway.push({ lastId: payload.readUInt32BE(0), code: payload.readUInt32BE(4), reason: payload.toString("utf8", 8) });
    } else if (one.id > 0) this.#onStream(one);
    this.onFrame?.(one);
  }

  #onStream(one: RawFrame): void {
    let stream = this.streams.get(one.id);
    if (stream === undefined) {
      stream = { sections: [], data: [], ended: false, reset: undefined };
      this.streams.set(one.id, stream);
    }
    if (one.type === Frame.DATA) stream.data.push(one.payload);
    else if (one.type === Frame.RST_STREAM) stream.reset = one.payload.readUInt32BE(0);
    else if (one.type === Frame.HEADERS || one.type === Frame.CONTINUATION) {
      this.#block.push(one.payload);
      if (one.type === Frame.HEADERS) this.#blockFlags = one.flags;
      if ((one.flags & Flag.END_HEADERS) === 0) return;
      const block = Buffer.concat(this.#block.splice(0));
      stream.sections.push(this.#decoder.decode(block, 0, block.length));
      if ((this.#blockFlags & Flag.END_STREAM) !== 0) stream.ended = true;
      return;
    }
    if (one.type === Frame.DATA && (one.flags & Flag.END_STREAM) !== 0) stream.ended = true;
  }

  #close(): void {
    this.isClosed = true;
    this.#look();
    for (const waiter of this.#waiters) this.#tellLost(waiter);
  }

  #tellLost({ what, reject }: Waiter): void {
    reject(new Error(`the connection was closed before ${what}; GOAWAY: ${JSON.stringify(this.goneAway)}`));
  }

  #look(): void {
    for (const waiter of this.#waiters) if (waiter.look()) this.#waiters.delete(waiter);
  }
}

/** A server that says nothing of itself, not even SETTINGS. */
export class RawServer {
  readonly peers: RawPeer[] = [];
  readonly #server: Server;

  private constructor(onPeer: (peer: RawPeer) => void) {
    this.#server = createServer((socket) => {
      const peer = new RawPeer(socket, PREFACE.length);
      this.peers.push(peer);
      onPeer(peer);
    });
  }

  static async listen(onPeer: (peer: RawPeer) => void): Promise<RawServer> {
    const server = new RawServer(onPeer);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get address(): Address {
    return { host: "127.0.0.1", port: (this.#server.address() as { port: number }).port };
  }

  async close(): Promise<void> {
    for (const peer of this.peers) peer.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function recordOf(fields: readonly string[]): Readonly<Record<string, string>> {
  const record: Record<string, string> = {};
  for (let at = 0; at < fields.length; at += 2) record[fields[at] as string] = fields[at + 1] as string;
  return record;
}
