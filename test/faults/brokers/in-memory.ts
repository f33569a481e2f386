import type { Broker } from "../broker.ts";

const IN_PROCESS = "the broker is part of the sidecar's process";
const NO_FILES = "it has no files";

export const inMemory: Broker = {
  name: "in-memory",
  gaps: {
    durable: "all that it has goes with the sidecar's process, by design",
    server: IN_PROCESS,
    wipe: IN_PROCESS,
    refuses: IN_PROCESS,
    trims: IN_PROCESS,
    failover: IN_PROCESS,
    "full-disk": NO_FILES,
    "read-only": NO_FILES,
    replicas: "each process has messages of its own",
  },
  unavailable: () => undefined,
  start: () => Promise.resolve({ component: () => ({ type: "in-memory", metadata: {} }), stop: () => Promise.resolve() }),
};
