import type { EventLoopUtilization } from "node:perf_hooks";

const LOOK_MS = 3_000;
/** Of the event loop's time. */
const IDLE = 0.05;

/**
 * Gives back, once and when the process idles, what only the start needed: V8 keeps its young generation as large as the start has made
 * it, 14 MiB, until a collection that is meant to save memory.
 */
export function giveBackWhenIdle(before: EventLoopUtilization = performance.eventLoopUtilization()): void {
  setTimeout(() => {
    if (performance.eventLoopUtilization(before).utilization > IDLE) giveBackWhenIdle();
    else collect();
  }, LOOK_MS).unref();
}

/** There is no other way to ask for it in a process that is under way. */
function collect(): void {
  const { setFlagsFromString } = process.getBuiltinModule("node:v8");
  const { runInNewContext } = process.getBuiltinModule("node:vm");
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as NodeJS.GCFunction;
  setFlagsFromString("--no-expose-gc");
  gc({ type: "major", execution: "sync", flavor: "last-resort" });
}
