/** Time and chance, as an argument, so that tests need neither sleep nor luck. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. For what leaves the process: expiry, positions. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary origin. For everything measured within the process. */
  elapsed(): number;
  /** Calls `fn` once after `ms`. The returned function cancels. The timer alone does not keep the process alive. */
  after(ms: number, fn: () => void): () => void;
  /** Uniform in [0, 1). */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
