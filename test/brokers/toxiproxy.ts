import { type GoProgram, goAvailable, goProgram } from "./go-programs.ts";
import { freePort, Server } from "./server.ts";

const PROGRAM: GoProgram = "toxiproxy";

/** Why no Toxiproxy can be had here; undefined: it can. */
export const toxiproxyAvailable = goAvailable;

/** A fault of the network, on what goes to the server (`upstream`) or on what it answers (`downstream`). */
export interface Toxic {
  readonly type: "bandwidth" | "latency" | "limit_data" | "reset_peer" | "slicer" | "slow_close" | "timeout";
  readonly stream: "upstream" | "downstream";
  readonly attributes: Readonly<Record<string, number>>;
}

/** A Toxiproxy of the test's own: the process that all its links go through. The first start on a machine builds it. */
export class Toxiproxy {
  readonly #server: Server;
  readonly #api: string;
  #links = 0;

  private constructor(server: Server, api: string) {
    this.#server = server;
    this.#api = api;
  }

  static async start(): Promise<Toxiproxy> {
    const binary = await goProgram(PROGRAM);
    const port = await freePort();
    const api = `http://127.0.0.1:${port}`;
    const answers = () =>
      fetch(`${api}/version`).then(
        ({ ok }) => ok,
        () => false,
      );
    const server = new Server("toxiproxy", binary, () => ["-host", "127.0.0.1", "-port", String(port)], answers);
    try {
      await server.start();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return new Toxiproxy(server, api);
  }

  /** A way to a port of the loopback that can be made bad. Default of `at`: a free port. */
  async link(target: number, at?: number): Promise<ToxicLink> {
    const port = at ?? (await freePort());
    const name = `link${++this.#links}`;
    await call(`${this.#api}/proxies`, "POST", { name, listen: `127.0.0.1:${port}`, upstream: `127.0.0.1:${target}`, enabled: true });
    return new ToxicLink(`${this.#api}/proxies/${name}`, port);
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}

/** It forwards until it is told otherwise. */
export class ToxicLink {
  readonly port: number;
  readonly #url: string;
  #toxics = 0;

  constructor(url: string, port: number) {
    this.#url = url;
    this.port = port;
  }

  /** Holds for all connections, those that stand and new ones, until `heal`. */
  async add(toxic: Toxic): Promise<void> {
    await call(`${this.#url}/toxics`, "POST", { name: `toxic${++this.#toxics}`, toxicity: 1, ...toxic });
  }

  /** Closes all connections and refuses new ones, until `heal`. */
  async cut(): Promise<void> {
    await call(this.#url, "POST", { enabled: false });
  }

  /** A good network again. What a `timeout` has held up is closed. */
  async heal(): Promise<void> {
    const toxics = (await call(`${this.#url}/toxics`, "GET")) as readonly { readonly name: string }[];
    for (const { name } of toxics) await call(`${this.#url}/toxics/${name}`, "DELETE");
    await call(this.#url, "POST", { enabled: true });
  }

  async remove(): Promise<void> {
    await call(this.#url, "DELETE");
  }
}

async function call(url: string, method: "GET" | "POST" | "DELETE", body?: object): Promise<unknown> {
  const response = await fetch(url, { method, ...(body && { body: JSON.stringify(body) }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`Toxiproxy answered ${response.status} to ${method} ${url}: ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}
