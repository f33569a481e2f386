import type { EngineOptions } from "../engine/engine.ts";
import type { DeclaredSubscription } from "../engine/subscription-options.ts";
import type { Capabilities } from "../pubsub/capabilities.ts";
import type { ComponentContext, Reading } from "../pubsub/component.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Own } from "../resiliency/own.ts";
import type { PublishPolicy } from "../resiliency/policy.ts";

/** One component of a configuration that was checked: opening it cannot fail on a bad option any more. */
export interface ConfiguredPubSub {
  readonly type: string;
  /** `consumerID`, by default the app's id. */
  readonly group: string;
  /** The finest order that its subscriptions can have. */
  readonly ordering: Capabilities["ordering"];
  /** How it is read, where its own keys say so and a subscription does not. */
  readonly reading?: Reading;
  /** How it is published to, where that differs from what holds for all. */
  readonly publish?: Own<PublishPolicy>;
  open(context: ComponentContext): PubSub;
}

/** All that the runtime needs to know. Milliseconds and bytes. */
export interface RuntimeSettings extends EngineOptions {
  readonly appId: string;
  /** Where the app is called back, as `parseAddress` reads it. Undefined: nobody is called, the sidecar only publishes. */
  readonly appAddress?: string;
  /** As `parseAddress` reads them; port 0 is any free port. */
  readonly grpcAddresses: readonly string[];
  readonly httpAddress: string;
  readonly metricsAddress: string;
  readonly pubsubs: ReadonlyMap<string, ConfiguredPubSub>;
  readonly subscriptions: readonly DeclaredSubscription[];
  readonly dataDir: string;
  readonly shutdownTimeoutMs: number;
  /** `strict`: a broker or a subscription that does not work turns readiness DOWN. `lenient`: it is a detail. */
  readonly readiness: "lenient" | "strict";
  readonly version: string;
  /** RFC 3339. */
  readonly compiled: string;
}
