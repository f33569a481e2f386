import { randomUUID } from "node:crypto";
import { describe, test } from "vitest";
import { conformance } from "../../conformance/index.ts";
import { systemClock } from "../../pubsub/clock.ts";
import { definition } from "./index.ts";

const context = { name: "test", appId: "app1", process: "host:1", dataDir: "", clock: systemClock };
const options = definition.options.parse({ broker: randomUUID() });

describe("in-memory", () => {
  const checks = conformance({
    name: definition.type,
    capabilities: definition.capabilities,
    leaseMs: 100,
    gaps: [],
    open: () => Promise.resolve(definition.open(options, context)),
    crash: (pubsub) => pubsub.close(AbortSignal.timeout(1_000)),
  });
  for (const { name, run } of checks) test(name, run, 30_000);
});
