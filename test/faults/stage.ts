import { freePort } from "../brokers/server.ts";
import { type ToxicLink, Toxiproxy } from "../brokers/toxiproxy.ts";
import type { Broker, BrokerPair, BrokerServer } from "./broker.ts";

/** A broker that the scenarios share, and a network before it. */
export class Stage {
  readonly broker: Broker;
  readonly server: BrokerServer;
  readonly #toxiproxy: Toxiproxy | undefined;
  readonly #link: ToxicLink | undefined;

  private constructor(broker: Broker, server: BrokerServer, toxiproxy?: Toxiproxy, link?: ToxicLink) {
    this.broker = broker;
    this.server = server;
    this.#toxiproxy = toxiproxy;
    this.#link = link;
  }

  static async open(broker: Broker): Promise<Stage> {
    const port = await freePort();
    const server = await broker.start(port);
    if (!server.process) return new Stage(broker, server);
    try {
      const toxiproxy = await Toxiproxy.start();
      return new Stage(broker, server, toxiproxy, await toxiproxy.link(server.process.port, port));
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** The network between the sidecars and the server. */
  get link(): ToxicLink {
    if (!this.#link) throw new Error(`there is no network before ${this.broker.name}`);
    return this.#link;
  }

  /** The port at which sidecars find the server. */
  get port(): number {
    return this.#link?.port ?? 0;
  }

  pair(safe: boolean): Promise<BrokerPair> {
    if (!this.broker.startPair) throw new Error(`${this.broker.name} has no pair of servers`);
    return this.broker.startPair(safe);
  }

  /** What a scenario that failed has left broken is whole again for the next. */
  async mend(): Promise<void> {
    await this.#link?.heal();
    await this.server.process?.restart();
  }

  async close(): Promise<void> {
    await this.#toxiproxy?.stop();
    await this.server.stop();
  }
}
