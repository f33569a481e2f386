import type { AppEvent, Verdict, VerdictReceiver } from "../app/channel.ts";
import type { Delivery } from "../pubsub/delivery.ts";

/** `waiting` for its call, `running`, in `backoff` after a failure, or `over`: settled or lost. */
export type LentState = "waiting" | "running" | "backoff" | "over";

/** A message while it is lent to us: what the broker gave, what the app gets, and where between the two it stands. */
export class Lent implements VerdictReceiver {
  readonly delivery: Delivery;
  readonly event: AppEvent;
  failures: number;
  state: LentState = "waiting";
  /** When the running call began, on the clock's monotonic scale. */
  startedAt = 0;
  /** Ends the running call or the backoff. */
  cancel: () => void = () => undefined;
  readonly #judged: (lent: Lent, verdict: Verdict, reason?: string) => void;

  constructor(delivery: Delivery, event: AppEvent, judged: (lent: Lent, verdict: Verdict, reason?: string) => void) {
    this.delivery = delivery;
    this.event = event;
    this.failures = delivery.failures ?? 0;
    this.#judged = judged;
  }

  verdict(verdict: Verdict, reason?: string): void {
    if (this.state === "running") this.#judged(this, verdict, reason);
  }
}
