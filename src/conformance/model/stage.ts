import type { PubSub } from "../../pubsub/pubsub.ts";
import type { SteppedClock } from "../stepped-clock.ts";

/** Where the world publishes, and where its dead letters go. */
export const TOPIC = "t";
export const DEAD = "dead";

/** What may become of a request: it is answered; it arrives and its answer is lost; it is lost. */
export type Fate = "answered" | "reply lost" | "request lost";

/** A broker in a world: what sidecars open of it, and what may happen to it. */
export interface Stage {
  /** The component of this sidecar, which begins. */
  connect(sidecar: number): Promise<PubSub>;
  /** Requests that wait for `step`. */
  readonly waiting: number;
  /** Decides over the oldest request. */
  step(fate: Fate): Promise<void>;
  /** What the sidecar's component does by itself. A read whose reply is lost leaves messages pending with it. */
  turn(sidecar: number, replyLost: boolean): void;
  /** The sidecar's process stands still (SIGSTOP), or goes on. */
  freeze(sidecar: number, frozen: boolean): void;
  /** The sidecar's process ends without a goodbye: `arriving` of its requests still reach the broker, nothing is answered. */
  crash(sidecar: number, arriving: number): Promise<void>;
  /** The sidecar's process ends, after its engine stopped. */
  stop(sidecar: number): Promise<void>;
  /** All that was ever stored in the topic, in its order. */
  stored(topic: string): Promise<readonly string[]>;
  /** The world is over. */
  end(): Promise<void>;
}

/** A broker that worlds can be made of. */
export interface Scene {
  readonly name: string;
  /** How many sidecars share it. */
  readonly sidecars: number;
  /** They are one process: when one crashes, all do. A request or a reply is lost with the thread that had it, and with all leases. */
  readonly oneProcess: boolean;
  /** Requests wait for `step`: what becomes of them, as often as it is named. None: they do not wait. */
  readonly fates: readonly Fate[];
  /** It is for the world to say when a component takes its turn. */
  readonly turns: boolean;
  /** A settlement stands as soon as it is made: what is settled never comes again, whatever ends then. */
  readonly settlesAtOnce: boolean;
  /** Processes can stand still. */
  readonly freezes: boolean;
  open(clock: SteppedClock): Promise<Stage>;
}

/** An event as it lies on the broker. */
export function textOf(data: Uint8Array): string {
  return (JSON.parse(Buffer.from(data).toString()) as { readonly data: string }).data;
}
