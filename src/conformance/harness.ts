import type { Capabilities } from "../pubsub/capabilities.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Bench } from "./bench.ts";

/** How the suite reaches one broker. A component's conformance test is little more than this. */
export interface Harness {
  /** The component's type. */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** A fresh client of the same broker. Several may be open at once: replicas. The suite closes what it opened. */
  open(): Promise<PubSub>;
  /** At most so long what a dead client held stays with it. Milliseconds; short, since behaviours wait for it. */
  readonly leaseMs: number;
  /** How long a behaviour waits for what must come, in milliseconds. Default: 15,000. */
  readonly patienceMs?: number;
  /** Restarts the broker, as a crash would, while it owes these. A `durable` one needs it. */
  restart?(owed: Owed): Promise<void>;
  /** This client dies without a goodbye. Where it cannot be shown, that is a gap. */
  crash?(pubsub: PubSub): Promise<void>;
  /** The broker goes away under its clients; what is returned brings it back. Absent: it is part of its clients' process. */
  outage?(): Promise<() => Promise<void>>;
  /** Puts an entry on a topic as a program without our envelope would, one without a payload where the broker can have that. Absent: nobody else can write there. */
  foreign?(topic: string): Promise<void>;
  readonly gaps: readonly Gap[];
}

/** So many messages that no client has, and each of the group is to get. */
interface Owed {
  readonly topic: string;
  readonly group: string;
  readonly messages: number;
}

/** A behaviour that the component does not have, and why. It must fail: passing unexpectedly is an error too. */
export interface Gap {
  readonly behaviour: string;
  readonly why: string;
}

/** One thing that every component does alike. */
export interface Behaviour {
  /** A sentence. */
  readonly name: string;
  /** The delivery rule that it shows: `D2`. */
  readonly rule: string;
  /** Whether it applies. Default: it does. */
  readonly needs?: (capabilities: Capabilities, harness: Harness) => boolean;
  /** Rejects when the component does otherwise. */
  run(bench: Bench): Promise<void>;
}
