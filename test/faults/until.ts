import { setTimeout as passes } from "node:timers/promises";

const LOOK_MS = 20;

/** Resolves once nothing is wrong any more. Rejects with what still is when the time is over; a look that fails is wrong by its error. */
export async function untilRight(wrong: () => string | undefined | Promise<string | undefined>, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look(wrong);
    if (found === undefined) return;
    if (performance.now() > deadline) throw new Error(`${found} (after ${withinMs / 1_000} s)`);
    await passes(LOOK_MS);
  }
}

async function look(wrong: () => string | undefined | Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await wrong();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
