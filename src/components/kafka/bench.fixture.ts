import { randomUUID } from "node:crypto";
import { Bench } from "../../conformance/bench.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { definition } from "./index.ts";

const PATIENCE_MS = 10_000;

/** Short times, so that what must run out does so within a test. */
export const TIMES = { sessionTimeout: "1500ms", heartbeatInterval: "300ms", commitInterval: "20ms", leaveAfter: "200ms" };

/** Of each topic of a bench, unless a test says otherwise. */
export const PARTITIONS = 4;

/** The component as `metadata` configures it, as a sidecar of its own, and connected. */
export async function openKafka(port: number, metadata: Readonly<Record<string, unknown>> = {}): Promise<PubSub> {
  const context = { name: "test", appId: "app1", process: `host:${randomUUID()}`, dataDir: "", clock: systemClock };
  const pubsub = definition.open(definition.options.parse({ brokers: `127.0.0.1:${port}`, ...TIMES, ...metadata }), context);
  await pubsub.ping(AbortSignal.timeout(PATIENCE_MS));
  return pubsub;
}

/** A bench on one server, for what only Kafka does. */
export function benchOn(port: number, metadata: Readonly<Record<string, unknown>>): Bench {
  return new Bench({
    name: definition.type,
    capabilities: definition.capabilities,
    leaseMs: 1_500,
    patienceMs: 30_000,
    gaps: [],
    open: () => openKafka(port, { partitions: PARTITIONS, ...metadata }),
    crash: (pubsub) => pubsub.close(AbortSignal.abort()).catch(() => undefined),
  });
}
