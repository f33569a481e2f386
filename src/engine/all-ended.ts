/** Resolves when all have ended, whatever became of one; then rejects with the first error. */
export async function allEnded(work: readonly Promise<void>[]): Promise<void> {
  for (const one of await Promise.allSettled(work)) if (one.status === "rejected") throw one.reason;
}
