import { setTimeout as passes } from "node:timers/promises";

/** How long what brokers do among themselves may take. */
export const TAKES_MS = 30_000;
const LOOK_MS = 50;

/** Resolves once `holds` does. Rejects with `what` when that takes too long. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + TAKES_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${TAKES_MS} ms: ${what}`);
    await passes(LOOK_MS);
  }
}
