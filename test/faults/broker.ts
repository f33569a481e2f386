import type { Component } from "../e2e/sidecar.ts";

/** What a scenario may ask of a broker. */
export type Need =
  /** What was acknowledged outlives the sidecar. */
  | "durable"
  /** A process of its own, that can be killed and reached over a network. */
  | "server"
  /** Several sidecars may share a group. */
  | "replicas"
  /** It can forget everything while it runs. */
  | "wipe"
  /** One server can take the place of another. */
  | "failover"
  /** One key's messages in order, over all replicas. */
  | "ordered";

/** What a group has not settled: read and not acknowledged, and not read yet. */
export interface Owed {
  readonly pending: number;
  readonly lag: number;
}

/** A broker as the scenarios see it. */
export interface Broker {
  readonly name: string;
  /** Why it cannot be had on this machine; undefined: it can. */
  unavailable(): string | undefined;
  /** Why something cannot hold on it: what scenarios need, or one scenario by its name. */
  readonly gaps: Readonly<Record<string, string>>;
  /** Scenarios that take too long on it for `npm test`. Default: none. */
  readonly byHand?: ReadonlySet<string>;
  start(): Promise<BrokerServer>;
  /** Two servers of which one takes over. */
  startPair?(safe: boolean): Promise<BrokerPair>;
}

/** What every way to have a broker can be asked. */
export interface BrokerStore {
  /** Asked of the broker itself. `directory` is the sidecar's. Undefined: nobody can be asked. */
  owed?(topic: string, group: string, directory: string): Promise<Owed>;
  /** For a broker that does not tell what is lent: so long after it was lost to a cut at the latest it is back. Milliseconds. */
  readonly backWithinMs?: number;
  /** Only one process may have the store, so that the sidecar must be away to ask. */
  readonly exclusive?: boolean;
  stop(): Promise<void>;
}

export interface BrokerServer extends BrokerStore {
  /** The sidecar's component that finds the server at this port of the loopback. */
  component(port: number): Component;
  /** Absent where the broker lives in the sidecar's process. */
  readonly process?: ServerProcess;
}

export interface ServerProcess {
  readonly port: number;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts again on the same data; kills it first if it runs. */
  restart(): Promise<void>;
  /** Neither answers nor closes its connections, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Connections that it has taken so far. */
  accepted(): Promise<number>;
  /** Forgets all topics, groups and messages. */
  wipe?(): Promise<void>;
}

export interface BrokerPair extends BrokerStore {
  readonly component: Component;
  /** From here on the second server gets nothing of what the first one takes. */
  part(): Promise<void>;
  /** kill -9 of the first; resolves once the second serves in its place, and has the first as its replica. */
  failOver(): Promise<void>;
}
