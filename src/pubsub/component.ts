import type { z } from "zod";
import type { Capabilities } from "./capabilities.ts";
import type { Clock } from "./clock.ts";
import type { PubSub } from "./pubsub.ts";
import type { Start } from "./subscription.ts";

/** What a component's own keys say of how it is read. */
export interface Reading {
  /** Where a new group begins. */
  readonly start?: Start;
  /** Most messages of a subscription that may be with the app at once. */
  readonly maxInFlight?: number;
}

/** What a component's `index.ts` exports as `definition`: all that the rest knows of it before it is opened. */
export interface ComponentDefinition<Options = unknown> {
  /** As in the configuration: `redis`. */
  readonly type: string;
  /** The most that any configuration of it can do. */
  readonly capabilities: Capabilities;
  /**
   * The keys of `metadata`, each with its default, its unit and a sentence (`.describe`), built from the words in `options.ts`.
   * A strict object: unknown keys are the configuration's business, which reports or drops them before this parses.
   */
  readonly options: z.ZodType<Options>;
  /** Its `ordering` under these options. Absent: as in `capabilities`, whatever they are. */
  readonly orderingOf?: (options: Options) => Capabilities["ordering"];
  /** The group that a key of the broker's own names (`consumerGroup`), before `consumerID`, which every component has. Absent: there is no such key. */
  readonly groupOf?: (options: Options) => string | undefined;
  /** What keys of the broker's own (`initialOffset`, `concurrency`) say of its subscriptions, where these say nothing themselves. */
  readonly readingOf?: (options: Options) => Reading;
  /** Makes the component. Synchronous and without I/O: a broker that is absent must not keep the sidecar from starting (D9). */
  open(options: Options, context: ComponentContext): PubSub;
}

/** What a component gets from the process it runs in. */
export interface ComponentContext {
  /** The component's name in the configuration: `orders`. */
  readonly name: string;
  /** The app's id; the default of names that a broker wants (client ids). */
  readonly appId: string;
  /** Unique for this run of this process: `host:pid-mark`. Consumers named with it can be told from those of other replicas and earlier runs. */
  readonly process: string;
  /** Where durable files may be kept. Not created before it is needed. */
  readonly dataDir: string;
  readonly clock: Clock;
}
