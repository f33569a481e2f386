import type { Clock } from "../pubsub/clock.ts";
import type { Delivery } from "../pubsub/delivery.ts";
import { waitMs } from "../resiliency/backoff.ts";
import type { ReaderCounts } from "../telemetry/measures.ts";
import { DeadLetters } from "./dead-letter.ts";
import type { Lent } from "./lent.ts";
import type { Loans } from "./loans.ts";
import type { Pauses } from "./pauses.ts";
import type { ReaderOptions } from "./reader-options.ts";
import { RememberedFailures } from "./remembered-failures.ts";
import type { Suspects } from "./suspects.ts";
import type { Window } from "./window.ts";

/** What a reader holds its messages with. */
export interface Held {
  readonly window: Window;
  readonly loans: Loans;
  readonly suspects: Suspects;
  readonly pauses: Pauses;
}

/** What a settlement leads to among the messages that wait. */
export interface Line {
  /** What was before it in its lane is settled: it is its turn. */
  ready(lent: Lent): void;
  /** It is its turn again after a while. */
  backOff(lent: Lent, delayMs: number): void;
  /** There may be room for others. */
  goOn(): void;
}

/** What becomes of a message by the app's verdict: acknowledged, tried again, dead-lettered or given back (step 8 of its life). Nothing else settles. */
export class Settling {
  readonly #clock: Clock;
  readonly #retry: ReaderOptions["policy"]["retry"];
  readonly #maxDelayMs: number;
  readonly #held: Held;
  readonly #counts: ReaderCounts;
  readonly #line: Line;
  readonly #deadLetters: DeadLetters | undefined;
  readonly #told: Pick<ReaderOptions, "failed" | "deadLettered">;
  readonly #remembered = new RememberedFailures();
  #draining = false;

  constructor(clock: Clock, options: ReaderOptions, held: Held, counts: ReaderCounts, line: Line) {
    const { policy, maxDelayMs = Number.POSITIVE_INFINITY, deadLetters, group } = options;
    this.#clock = clock;
    this.#retry = policy.retry;
    this.#maxDelayMs = maxDelayMs;
    this.#told = options;
    this.#held = held;
    this.#counts = counts;
    this.#line = line;
    this.#deadLetters = deadLetters && new DeadLetters(deadLetters, group, clock);
  }

  /** Dead letters on their way. */
  get underWay(): number {
    return this.#deadLetters?.underWay ?? 0;
  }

  /** Why a dead letter could not be written the last time. Undefined: it could. */
  get trouble(): string | undefined {
    return this.#deadLetters?.trouble;
  }

  /** From here on what would be tried again is given back. */
  drain(): void {
    this.#draining = true;
    this.#deadLetters?.giveUp();
  }

  /** How often it has failed so far, as far as anybody knows. */
  failuresOf(delivery: Delivery): number {
    return this.#remembered.of(delivery);
  }

  expired(lent: Lent): void {
    this.#counts.expired += 1;
    this.#ack(lent);
  }

  /** Whether it failed too often before it came here: its dead letter was not written before the last sidecar ended. Then it is now. */
  failedBefore(lent: Lent): boolean {
    const due = this.#deadLetters !== undefined && lent.failures >= this.#retry.maxFailures;
    if (due) this.#bury(lent, "it failed too often, before this sidecar had it");
    return due;
  }

  processed(lent: Lent): void {
    this.#held.pauses.succeeded();
    this.#held.suspects.clear(lent);
    this.#ack(lent);
  }

  dropped(lent: Lent): void {
    this.#held.pauses.succeeded();
    this.#held.suspects.clear(lent);
    this.#counts.dropped += 1;
    if (this.#deadLetters) this.#bury(lent, "the app answered DROP");
    else this.#ack(lent);
  }

  /** One failure: again after a while, kept here if there is room and else by the broker if it can (D3). */
  failed(lent: Lent, reason: string, code?: string): void {
    const { window, suspects, pauses } = this.#held;
    const { delivery } = lent;
    suspects.clear(lent);
    lent.failures += 1;
    lent.firstFailedAt ??= this.#clock.now();
    this.#counts.retried += 1;
    this.#told.failed?.(lent.event.id, reason);
    pauses.failed();
    const pointless = code !== undefined && this.#retry.permanent.includes(code);
    if (this.#deadLetters && (pointless || lent.failures >= this.#retry.maxFailures)) {
      delivery.keep?.(lent.failures);
      this.#bury(lent, reason);
      return;
    }
    const delay = waitMs(this.#retry, lent.failures, this.#clock.random());
    // Whoever holds a lane waits here: given back, it would be passed by.
    if (window.full && delivery.retry && lent.lane === undefined) {
      this.#remembered.keep(delivery, lent.failures);
      delivery.retry(Math.min(delay, this.#maxDelayMs), lent.failures);
      this.over(lent);
      return;
    }
    delivery.keep?.(lent.failures);
    if (this.#draining || lent.leaving) this.release(lent);
    else this.#line.backOff(lent, delay);
  }

  release(lent: Lent): void {
    this.#counts.released += 1;
    this.#remembered.keep(lent.delivery, lent.failures);
    lent.delivery.release();
    this.over(lent);
  }

  /** It is settled, or no longer ours. */
  over(lent: Lent): void {
    if (lent.state === "backoff") lent.cancel();
    lent.state = "over";
    lent.leaving?.();
    this.#deadLetters?.forget(lent);
    this.#held.suspects.leave(lent);
    const next = this.#held.loans.remove(lent);
    if (next) this.#line.ready(next);
  }

  #bury(lent: Lent, reason: string): void {
    this.#deadLetters?.bury(lent, reason, (outcome) => {
      if (outcome === "stored" || outcome === "acked") {
        this.#counts.deadLettered += 1;
        this.#told.deadLettered?.(lent.event.id, reason);
      }
      if (outcome === "acked") this.#remembered.forget(lent.delivery);
      if (outcome === "stored") this.#ack(lent);
      else if (outcome === "failed") this.release(lent);
      else {
        if (outcome === "acked") this.#counts.acked += 1;
        this.over(lent);
      }
      this.#line.goOn();
    });
  }

  #ack(lent: Lent): void {
    this.#remembered.forget(lent.delivery);
    if (lent.delivery.ack()) this.#counts.acked += 1;
    this.over(lent);
  }
}
