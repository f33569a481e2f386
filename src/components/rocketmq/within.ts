import { abortError } from "./errors.ts";

/** What `work` comes to, or the abortion of `signal` if that is sooner. */
export function within<T>(work: Promise<T>, signal: AbortSignal, doing: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(abortError(doing, signal, "unknown"));
    if (signal.aborted) aborted();
    signal.addEventListener("abort", aborted, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}
