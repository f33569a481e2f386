import { type Outcome, PubSubError } from "../pubsub/error.ts";

/** It does not fit beside what waits already. `limit` is in bytes. */
export class BufferFull extends PubSubError {
  readonly limit: number;

  constructor(limit: number) {
    super("resource_exhausted", `${limit} bytes of publishes are waiting already`);
    this.limit = limit;
  }
}

/** The broker is left alone, since it failed all that it got. */
export class BreakerOpen extends PubSubError {
  readonly #why: string;
  readonly #pauseMs: number;

  constructor(why: string, pauseMs: number, outcome: Outcome = "rejected") {
    super("unavailable", `the circuit breaker is open for ${pauseMs} ms: ${why}`, { outcome });
    this.#why = why;
    this.#pauseMs = pauseMs;
  }

  /** For a message that was tried before. */
  after(outcome: Outcome): BreakerOpen {
    return outcome === this.outcome ? this : new BreakerOpen(this.#why, this.#pauseMs, outcome);
  }
}

/** Its time is over. `before`: what the broker said of it until then. `underWay`: it has it, and may store it yet. */
export function notInTime(before: PubSubError | undefined, underWay: boolean): PubSubError {
  const why = before?.message ?? "the broker did not answer in time";
  // A broker that is full says something else than one that is away.
  const code = before?.code === "resource_exhausted" ? "resource_exhausted" : "unavailable";
  return new PubSubError(code, why, { outcome: underWay ? "unknown" : (before?.outcome ?? "rejected") });
}

/** The rate let others pass for as long as it could wait. */
export class RateExceeded extends PubSubError {
  constructor(perSecond: number) {
    super("resource_exhausted", `its turn did not come in time: at most ${perSecond} messages a second are published`);
  }
}
