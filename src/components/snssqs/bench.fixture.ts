import { randomUUID } from "node:crypto";
import { Bench } from "../../conformance/bench.ts";
import { type Clock, systemClock } from "../../pubsub/clock.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { definition } from "./index.ts";

/** moto works on one request at a time. */
const PATIENCE_MS = 30_000;

/** Where moto is, and times that suit a test. `more` stands over them. */
export function metadata(endpoint: string, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  const account = { region: "us-east-1", accessKey: "test", secretKey: "test" };
  return { ...account, endpoint, messageWaitTimeSeconds: 1, createWait: 0, requestTimeout: "30s", ...more };
}

/** The component as a sidecar of its own. */
export function openSnsSqs(given: Readonly<Record<string, unknown>>, clock: Clock = systemClock): PubSub {
  const context = { name: "test", appId: "app1", process: `host:${randomUUID()}`, dataDir: "", clock };
  return definition.open(definition.options.parse(given), context);
}

/** A bench for what only SNS and SQS do. */
export function benchOn(given: Readonly<Record<string, unknown>>): Bench {
  const open = () => Promise.resolve(openSnsSqs(given));
  return new Bench({
    name: definition.type,
    capabilities: definition.capabilities,
    leaseMs: 30_000,
    patienceMs: PATIENCE_MS,
    gaps: [],
    open,
  });
}
