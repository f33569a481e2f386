import { type Outcome, PubSubError } from "./error.ts";

/** What an aborted signal makes of an operation. */
export function abortError(doing: string, signal: AbortSignal, outcome: Outcome): PubSubError {
  const late = signal.reason instanceof Error && signal.reason.name === "TimeoutError";
  return new PubSubError(late ? "deadline_exceeded" : "cancelled", `${doing}: ${late ? "out of time" : "cancelled"}`, { outcome });
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** What `work` comes to, or the abortion of `signal` if that is sooner. */
export function within<T>(work: Promise<T>, signal: AbortSignal, doing: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortError(doing, signal, "unknown"));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
