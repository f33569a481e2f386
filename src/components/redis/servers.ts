import type { Clock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { Changes } from "../changes.ts";
import type { Host, RedisOptions } from "./config.ts";
import { Node } from "./node.ts";

/** Where streams live: on one server, or on the masters of a cluster. */
export interface Servers {
  open(): void;
  /** The server of a stream; undefined while a cluster's layout is not known. */
  of(stream: string): Node | undefined;
  readonly nodes: readonly Node[];
  /** Why `of` finds none, or cannot be reached. */
  unavailable(): PubSubError;
  /** Told when a server stands or is lost, when the layout is known, and at the end. */
  readonly changes: Changes;
  /** A server said that a stream is not (only) there. */
  moved(): void;
  /** Calls `listener` whenever streams may have got another server. The returned function ends that. */
  onChange(listener: () => void): () => void;
  close(): void;
}

/** A single server, or the master that Sentinels name. */
export class OneServer implements Servers {
  readonly nodes: readonly Node[];
  readonly changes = new Changes();
  readonly #node: Node;

  constructor(options: RedisOptions, host: Host, name: string, clock: Clock) {
    this.#node = new Node(options, host, name, clock);
    this.#node.enter({ up: () => this.changes.tell(), down: () => this.changes.tell() });
    this.nodes = [this.#node];
  }

  open(): void {
    this.#node.open();
  }

  of(): Node {
    return this.#node;
  }

  unavailable(): PubSubError {
    return this.#node.unavailable();
  }

  moved(): void {
    // A server of a cluster, configured as a single one: `inspect` refuses that.
  }

  onChange(): () => void {
    return () => undefined;
  }

  close(): void {
    this.#node.close();
    this.changes.tell();
  }
}
