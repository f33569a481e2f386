import { randomUUID } from "node:crypto";
import { Bench } from "../../conformance/bench.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { definition } from "./index.ts";

const PATIENCE_MS = 5_000;

/** The component as `metadata` configures it, as a sidecar of its own; not yet connected. */
export function openRedis(metadata: Readonly<Record<string, unknown>>): PubSub {
  const context = { name: "test", appId: "app1", process: `host:${randomUUID()}`, dataDir: "", clock: systemClock };
  return definition.open(definition.options.parse(metadata), context);
}

/** A bench on one server, for what only Redis does. */
export function benchOn(metadata: Readonly<Record<string, unknown>>): Bench {
  return new Bench({
    name: definition.type,
    capabilities: definition.capabilities,
    leaseMs: 1_000,
    gaps: [],
    async open() {
      const pubsub = openRedis(metadata);
      await pubsub.ping(AbortSignal.timeout(PATIENCE_MS));
      return pubsub;
    },
  });
}
