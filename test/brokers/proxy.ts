import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

interface Link {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Replies were dropped: nothing that comes later would make sense to the client. */
  deaf: boolean;
}

/** A bad network between a client and a server on the loopback. It forwards until it is told otherwise. */
export class TcpProxy {
  readonly #target: number;
  readonly #links = new Set<Link>();
  #server: Server;
  #port = 0;
  #swallow: string | undefined;
  #stalled = false;
  #swallowed = Promise.withResolvers<void>();
  #accepted = 0;

  private constructor(target: number) {
    this.#target = target;
    this.#server = this.#serve();
  }

  /** `target`: the server's port. Default of `port`: a free one. */
  static async start(target: number, port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await proxy.#listen(port);
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Connections taken so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** A good network again. Connections that lost a reply are cut: on a real network, too, nothing but their end follows. */
  async forward(): Promise<void> {
    this.#swallow = undefined;
    this.#stalled = false;
    for (const link of [...this.#links]) {
      if (link.deaf) this.#cut(link);
      else for (const socket of [link.client, link.upstream]) socket.resume();
    }
    if (!this.#server.listening) {
      this.#server = this.#serve();
      await this.#listen(this.#port);
    }
  }

  /**
   * Requests reach the server, replies do not come back: on every connection, from the request on that contains `request` (in lower
   * case; default: any). Resolves when the first reply was swallowed.
   */
  swallowReplies(request = ""): Promise<void> {
    this.#swallow = request;
    this.#swallowed = Promise.withResolvers();
    return this.#swallowed.promise;
  }

  /** Nothing passes in either direction, and nothing is lost or closed, until `forward`. */
  stall(): void {
    this.#stalled = true;
    for (const { client, upstream } of this.#links) for (const socket of [client, upstream]) socket.pause();
  }

  /** Breaks all connections. New ones are taken. */
  cut(): void {
    for (const link of [...this.#links]) this.#cut(link);
  }

  /** Breaks all connections and takes no new one, until `forward`. */
  async refuse(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  async stop(): Promise<void> {
    if (this.#server.listening) await this.refuse();
  }

  async #listen(port: number): Promise<void> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as { readonly port: number }).port;
  }

  #serve(): Server {
    return createServer((client) => {
      this.#accepted += 1;
      const upstream = connect(this.#target, "127.0.0.1");
      const link: Link = { client, upstream, deaf: false };
      this.#links.add(link);
      for (const socket of [client, upstream]) {
        socket.setNoDelay(true);
        socket.on("error", () => this.#cut(link));
        socket.on("close", () => this.#cut(link));
        if (this.#stalled) socket.pause();
      }
      client.on("data", (bytes: Buffer) => {
        if (this.#swallow !== undefined && bytes.toString("latin1").toLowerCase().includes(this.#swallow)) link.deaf = true;
        pass(client, upstream, bytes);
      });
      upstream.on("data", (bytes: Buffer) => {
        if (link.deaf) this.#swallowed.resolve();
        else pass(upstream, client, bytes);
      });
    });
  }

  #cut(link: Link): void {
    if (!this.#links.delete(link)) return;
    link.client.destroy();
    link.upstream.destroy();
  }
}

/** A slow receiver slows the sender. */
function pass(from: Socket, to: Socket, bytes: Buffer): void {
  if (to.write(bytes)) return;
  from.pause();
  to.once("drain", () => from.resume());
}
