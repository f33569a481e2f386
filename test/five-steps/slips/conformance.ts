import { test } from "node:test";
import { systemClock } from "layotto-sidecar";
import { conformance } from "layotto-sidecar/conformance";
import { definition } from "./index.ts";

const context = { name: "test", appId: "app1", process: "host:1", dataDir: "", clock: systemClock };
const checks = conformance({
  name: definition.type,
  capabilities: definition.capabilities,
  leaseMs: 50,
  patienceMs: 3_000,
  gaps: [
    { behaviour: "topics and groups are listed, and a deleted group is gone", why: "there is no administration" },
    { behaviour: "a message that is moved stands at its target, and never comes again", why: "the engine publishes and acks instead" },
  ],
  open: () => Promise.resolve(definition.open(definition.options.parse({}), context)),
  crash: (pubsub) => pubsub.close(AbortSignal.abort()),
});
for (const { name, run } of checks) test(name, run);
