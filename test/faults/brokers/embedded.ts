import { join } from "node:path";
import { definition } from "../../../src/components/embedded/index.ts";
import { systemClock } from "../../../src/pubsub/clock.ts";
import { type Broker, type Owed, reasons } from "../broker.ts";
import { Disk, sealingUnavailable, smallDiskUnavailable } from "../disk.ts";
import { PUBSUB } from "../names.ts";
import { OF_THE_ENGINE } from "../scenarios/of-the-engine.ts";

/** In a folder of its own, so that it can have a disk of its own. */
const FOLDER = "messages";
const METADATA = { file: join(FOLDER, "embedded.db") };
const IN_PROCESS = "the broker is part of the sidecar's process";

export const embedded: Broker = {
  name: "embedded",
  get gaps() {
    return {
      server: IN_PROCESS,
      wipe: IN_PROCESS,
      refuses: IN_PROCESS,
      trims: IN_PROCESS,
      failover: IN_PROCESS,
      replicas: "one process owns the file",
      ...reasons({ "full-disk": smallDiskUnavailable(), "read-only": sealingUnavailable() }),
    };
  },
  byHand: new Set(OF_THE_ENGINE),
  unavailable: () => undefined,
  start: () =>
    Promise.resolve({
      component: () => ({ type: "embedded", metadata: METADATA }),
      disk: (sidecar) => new Disk(join(sidecar.directory, FOLDER), () => (sidecar.working ? sidecar.pid : undefined)),
      owed,
      exclusive: true,
      stop: () => Promise.resolve(),
    }),
};

/** Asked of the file itself. */
async function owed(topic: string, group: string, directory: string): Promise<Owed> {
  const context = { name: PUBSUB, appId: "test", process: "test:1", dataDir: directory, clock: systemClock };
  const store = definition.open(definition.options.parse(METADATA), context);
  const quiet = { deliver: () => undefined, revoking: () => Promise.resolve(), lost: () => undefined, interrupted: () => undefined };
  try {
    const reader = await store.subscribe({ topic, group, start: "earliest", order: "none", options: {} }, quiet);
    const backlog = await reader.backlog?.(AbortSignal.timeout(5_000));
    return { pending: 0, lag: backlog?.messages ?? Number.NaN };
  } finally {
    await store.close(AbortSignal.timeout(5_000));
  }
}
