import type { Address } from "../address.ts";
import { type CallOptions, type Client, connect } from "../client.ts";
import { type Handlers, listen, type Server, type ServerOptions, type ServerStream, streaming } from "../server.ts";
import type { ServerTls } from "../tls.ts";
import { RawPeer, type SettingEntry } from "./raw-peer.fixture.ts";

/** What a server does for its tests, by path. */
export const handlers: Handlers = {
  "/t.T/Echo": (request, call) => call.respond(request),
  "/t.T/Hang": () => undefined,
  /** As many bytes as the request says. */
  "/t.T/Large": (request, call) => call.respond(new Uint8Array(Buffer.from(request).readUInt32BE())),
  "/t.T/Each": streaming((call) => {
    let full = false;
    return {
      message(bytes) {
        if (call.send(bytes) || full) return;
        full = true;
        call.pause();
      },
      drained() {
        full = false;
        call.resume();
      },
      end: () => call.end(),
    };
  }),
  "/t.T/Count": streaming((call) => {
    let count = 0;
    let bytes = 0;
    return {
      message(one) {
        count += 1;
        bytes += one.length;
      },
      end() {
        call.send(Buffer.from(`${count} messages, ${bytes} bytes`));
        call.end();
      },
    };
  }),
};

/** Where a server listens. `tls`: over TLS, with the server's files and the authority that they are of. */
export interface Place {
  readonly address: Address;
  readonly tls?: { readonly server: ServerTls; readonly ca: string };
}

/** A server, a client of it that behaves, and what is to be cleaned up. */
export class Abused {
  readonly server: Server;
  readonly #ca: string | undefined;
  readonly #bystander: Client;
  readonly #peers: RawPeer[] = [];
  #started = false;

  private constructor(server: Server, ca: string | undefined) {
    this.server = server;
    this.#ca = ca;
    this.#bystander = this.#client();
  }

  /** Its bystander has a connection of its own from the beginning. */
  static async start(options: Partial<ServerOptions> = {}, { address, tls }: Place = LOOPBACK): Promise<Abused> {
    const secured = tls === undefined ? {} : { tls: tls.server };
    const server = await listen(address, { ...options, ...secured, handlers: { ...handlers, ...options.handlers } });
    const abused = new Abused(server, tls?.ca);
    await abused.othersAreServed();
    abused.#started = true;
    return abused;
  }

  async peer(...entries: readonly SettingEntry[]): Promise<RawPeer> {
    const peer = await this.stranger();
    peer.hello(...entries);
    return peer;
  }

  /** One that has not said hello. */
  async stranger(): Promise<RawPeer> {
    const peer = await RawPeer.dial(this.server.address, this.#ca);
    this.#peers.push(peer);
    return peer;
  }

  /** Throws when a call on the bystander's connection, or one on a new connection, does not succeed. */
  async othersAreServed(): Promise<void> {
    const newcomer = this.#client();
    try {
      for (const client of [this.#bystander, newcomer]) {
        if (client === this.#bystander && this.#started && client.state !== "ready") throw new Error(`the bystander is ${client.state}`);
        const answer = await unary(client, "/t.T/Echo", Buffer.from("still here"));
        if (Buffer.from(answer).toString() !== "still here") throw new Error("the answer is another one");
      }
    } finally {
      newcomer.close();
    }
  }

  async stop(): Promise<void> {
    for (const peer of this.#peers) peer.destroy();
    this.#bystander.close();
    await this.server.close(AbortSignal.abort());
  }

  #client(): Client {
    return connect(this.server.address, this.#ca === undefined ? {} : { tls: { ca: this.#ca } });
  }
}

const LOOPBACK: Place = { address: { host: "127.0.0.1", port: 0 } };

export function unary(client: Client, path: string, request: Uint8Array = new Uint8Array(), options?: CallOptions): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    client.unary(path, request, { response: resolve, failed: reject }, options);
  });
}

/** A handler that keeps its calls, paused from the beginning. */
export function pausing(): { readonly calls: ServerStream[]; readonly messages: Uint8Array[]; readonly handlers: Handlers } {
  const calls: ServerStream[] = [];
  const messages: Uint8Array[] = [];
  const opened = streaming((call) => {
    calls.push(call);
    call.pause();
    return { message: (bytes) => messages.push(bytes), end: () => call.end() };
  });
  return { calls, messages, handlers: { "/t.T/Paused": opened } };
}
