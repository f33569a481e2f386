import { type Handlers, Status } from "layotto-transport";
import type { Calls } from "../../telemetry/calls.ts";

/** Counts each call of `handlers` by its method and outcome, when it ends. */
export function counting(handlers: Handlers, calls: Calls): (path: string, code: Status) => void {
  for (const path of Object.keys(handlers)) if (!calls.has(path)) calls.set(path, { requests: 0, succeeded: 0, failed: 0 });
  return (path, code) => {
    const counts = calls.get(path);
    if (counts === undefined) return;
    counts.requests += 1;
    if (code === Status.OK) counts.succeeded += 1;
    else counts.failed += 1;
  };
}
