import { type CallOptions, type Client, connect } from "../client.ts";
import { type Handlers, listen, type Server, type ServerOptions, type ServerStream, streaming } from "../server.ts";
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

/** A server, a client of it that behaves, and what is to be cleaned up. */
export class Abused {
  readonly server: Server;
  readonly #bystander: Client;
  readonly #peers: RawPeer[] = [];
  #started = false;

  private constructor(server: Server) {
    this.server = server;
    this.#bystander = connect(server.address);
  }

  /** Its bystander has a connection of its own from the beginning. */
  static async start(options: Partial<ServerOptions> = {}): Promise<Abused> {
    const server = await listen({ host: "127.0.0.1", port: 0 }, { ...options, handlers: { ...handlers, ...options.handlers } });
    const abused = new Abused(server);
    await abused.othersAreServed();
    abused.#started = true;
    return abused;
  }

  async peer(...entries: readonly SettingEntry[]): Promise<RawPeer> {
    const peer = await RawPeer.connect(this.server.address, ...entries);
    this.#peers.push(peer);
    return peer;
  }

  /** One that has not said hello. */
  async stranger(): Promise<RawPeer> {
    const peer = await RawPeer.dial(this.server.address);
    this.#peers.push(peer);
    return peer;
  }

  /** Throws when a call on the bystander's connection, or one on a new connection, does not succeed. */
  async othersAreServed(): Promise<void> {
    const newcomer = connect(this.server.address);
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
}

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
