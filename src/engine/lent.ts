import type { AppEvent, Verdict, VerdictReceiver } from "../app/channel.ts";
import type { Delivery } from "../pubsub/delivery.ts";

/**
 * `waiting` for its call, `behind` another of its lane, `running`, in `backoff` after a failure, `dead`: on its way to the dead-letter
 * topic; `over`: settled or lost.
 */
export type LentState = "waiting" | "behind" | "running" | "backoff" | "dead" | "over";

/** A message while it is lent to us: what the broker gave, what the app gets, and where between the two it stands. */
export class Lent implements VerdictReceiver {
  /** Another one for the same message once its lease was lost and it came again while its call ran (D5). */
  delivery: Delivery;
  readonly event: AppEvent;
  readonly lane: string | undefined;
  /** Bytes that it counts against the window: data and attributes. */
  readonly size: number;
  failures: number;
  state: LentState = "waiting";
  /** When the running call began, on the clock's monotonic scale. */
  startedAt = 0;
  /** When it failed first, as far as we saw it, in milliseconds since the epoch. */
  firstFailedAt: number | undefined;
  /** The app was lost while it had this message: it may be what killed it (D4). */
  suspect = false;
  /** How often the app was lost while it had this message and no other. */
  deaths = 0;
  /** The broker takes it away: it is not tried again here, and this is called when it is over. */
  leaving: (() => void) | undefined;
  /** Ends the running call or the backoff. */
  cancel: () => void = () => undefined;
  readonly #judged: (lent: Lent, verdict: Verdict, reason?: string, code?: string) => void;

  constructor(
    delivery: Delivery,
    event: AppEvent,
    lane: string | undefined,
    failures: number,
    judged: (lent: Lent, verdict: Verdict, reason?: string, code?: string) => void,
  ) {
    this.delivery = delivery;
    this.event = event;
    this.lane = lane;
    this.size = sizeOf(delivery);
    this.failures = failures;
    this.#judged = judged;
  }

  verdict(verdict: Verdict, reason?: string, code?: string): void {
    if (this.state === "running") this.#judged(this, verdict, reason, code);
  }
}

/** A character of an attribute counts as a byte: what it takes exactly is not worth finding out. */
function sizeOf({ data, attributes }: Delivery): number {
  let size = data.length;
  for (const name in attributes) size += name.length + (attributes[name] as string).length;
  return size;
}
