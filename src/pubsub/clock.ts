/** Time and chance, as an argument, so that tests need neither sleep nor luck. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. For what leaves the process: expiry, positions. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary origin. For everything measured within the process. */
  elapsed(): number;
  /** Calls `fn` once after `ms`, at most a millisecond early. The returned function cancels. The timer alone does not keep the process alive. */
  after(ms: number, fn: () => void): () => void;
  /** Uniform in [0, 1). */
  random(): number;
}

/** Of a timer of Node's: it takes a longer wait for none at all. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(ms, fn) {
    let timer: NodeJS.Timeout;
    const wait = (left: number): void => {
      timer = left > LONGEST_MS ? setTimeout(() => wait(left - LONGEST_MS), LONGEST_MS) : setTimeout(fn, left);
      timer.unref();
    };
    // A timer of Node's drops the fraction of a millisecond, and begins at the last whole one.
    wait(Math.ceil(ms));
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
