import type { Component, Sidecar } from "../e2e/sidecar.ts";

/** Why scenarios with a full or sealed disk are not played on a server that is started here. */
export const NO_DISK = { "full-disk": "its server has no disk of its own here", "read-only": "its server has no disk of its own here" };

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
  /** Its disk can be filled. */
  | "full-disk"
  /** Its files can be made unwritable. */
  | "read-only"
  /** One key's messages in order, over all replicas. */
  | "ordered"
  /** It can be told to refuse what is written to one topic. */
  | "refuses"
  /** It deletes what all groups have settled. */
  | "trims";

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
  /** Why any number of acknowledged messages may come again after its server was killed. Default: only what was lent may. */
  readonly forgetsAcks?: string;
  /** Scenarios that take too long on it for `npm test`. Default: none. */
  readonly byHand?: ReadonlySet<string>;
  /** `port`: where sidecars will find it, for a server that tells its clients where it is. */
  start(port: number): Promise<BrokerServer>;
  /** Two servers of which one takes over. */
  startPair?(safe: boolean): Promise<BrokerPair>;
}

/** Of reasons that depend on the machine, those that there are. */
export function reasons(found: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== undefined));
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
  /** The disk for its files, when a scenario needs it. Asked before the sidecar starts: a broker in its process has its files there. */
  disk?(sidecar: Sidecar): BrokerDisk;
}

export interface BrokerDisk {
  /** Nothing more can be stored, until `free`. */
  fill(): void;
  free(): void;
  /** Nothing can be written, until `unseal`: by a process that has the files open already, or by one that starts. */
  seal(): void;
  unseal(): void;
  close(): void;
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
  /** Refuses what is written to any topic but these, until `accept`. */
  refuseAllBut?(topics: readonly string[]): Promise<void>;
  accept?(): Promise<void>;
  readonly trims?: Trims;
}

/** A look at what is kept, and groups beside the app's, that nobody reads. */
export interface Trims {
  /** Messages that the topic has. */
  kept(topic: string): Promise<number>;
  /** Messages that the topic ever had. */
  added(topic: string): Promise<number>;
  /** A new group behind the last message. */
  join(topic: string, group: string): Promise<void>;
  /** Messages that it would get. */
  unread(topic: string, group: string): Promise<number>;
  leave(topic: string, group: string): Promise<void>;
}

export interface BrokerPair extends BrokerStore {
  readonly component: Component;
  /** From here on the second server gets nothing of what the first one takes. */
  part(): Promise<void>;
  /** kill -9 of the first; resolves once the second serves in its place, and has the first as its replica. */
  failOver(): Promise<void>;
}
