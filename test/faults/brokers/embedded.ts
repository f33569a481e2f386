import { definition } from "../../../src/components/embedded/index.ts";
import { systemClock } from "../../../src/pubsub/clock.ts";

import type { Broker, Owed } from "../broker.ts";
import { PUBSUB } from "../names.ts";

const IN_PROCESS = "the broker is part of the sidecar's process";

export const embedded: Broker = {
  name: "embedded",
  gaps: {
    server: IN_PROCESS,
    wipe: IN_PROCESS,
    refuses: IN_PROCESS,
    trims: IN_PROCESS,
    failover: IN_PROCESS,
    replicas: "one process owns the file",
    "dead-letters":
      "behind a message that fails, acknowledgements reach the disk within 100 ms: a kill then repeats more than a window (nothing is lost)",
  },
  unavailable: () => undefined,
  start: () =>
    Promise.resolve({
      component: () => ({ type: "embedded", metadata: {} }),
      owed,
      exclusive: true,
      stop: () => Promise.resolve(),
    }),
};

/** Asked of the file itself. */
async function owed(topic: string, group: string, directory: string): Promise<Owed> {
  const context = { name: PUBSUB, appId: "test", process: "test:1", dataDir: directory, clock: systemClock };
  const store = definition.open(definition.options.parse({}), context);
  const quiet = { deliver: () => undefined, revoking: () => Promise.resolve(), lost: () => undefined, interrupted: () => undefined };
  try {
    const reader = await store.subscribe({ topic, group, start: "earliest", order: "none", options: {} }, quiet);
    const backlog = await reader.backlog?.(AbortSignal.timeout(5_000));
    return { pending: 0, lag: backlog?.messages ?? Number.NaN };
  } finally {
    await store.close(AbortSignal.timeout(5_000));
  }
}
