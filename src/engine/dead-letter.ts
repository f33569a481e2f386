import type { Clock } from "../pubsub/clock.ts";
import type { PubSubError } from "../pubsub/error.ts";
import type { Outgoing } from "../pubsub/outgoing.ts";
import { type Backoff, waitMs } from "../resiliency/backoff.ts";
import type { Lent } from "./lent.ts";
import type { Message } from "./waiting.ts";

/** What a dead letter tells, as attributes beside the publisher's own. */
export const DEAD_LETTER = {
  id: "layotto-dead-letter-id",
  reason: "layotto-dead-letter-reason",
  failures: "layotto-dead-letter-failures",
  first: "layotto-dead-letter-first-failure",
  last: "layotto-dead-letter-last-failure",
  topic: "layotto-dead-letter-topic",
  position: "layotto-dead-letter-position",
  group: "layotto-dead-letter-group",
} as const;

const MOST_REASON = 1_024;
const AGAIN: Backoff = { firstMs: 1_000, mostMs: 60_000 };

/** Where the dead letters of one subscription go. */
export interface DeadLetterTarget {
  readonly topic: string;
  /** The most bytes that a message may have there, attributes included. */
  readonly maxBytes: number;
  /** Publishes where a message cannot be moved. `done` is called once. */
  publish(message: Message, done: (error?: PubSubError) => void): void;
}

/**
 * `acked`: the broker settled the original in the same step. `stored`: the caller acks. `failed`: nothing happened, and no further try is
 * made here. `over`: it is no longer ours.
 */
type DeadLetterOutcome = "acked" | "stored" | "failed" | "over";

/** Writes dead letters (D15): the same bytes with reasons as attributes. Moved by the broker in one step where it can, else published. */
export class DeadLetters {
  readonly topic: string;
  readonly #target: DeadLetterTarget;
  readonly #group: string;
  readonly #clock: Clock;
  /** Those that could not be written the last time and wait for another try, and why. */
  readonly #troubled = new Map<Lent, string>();
  /** Writes that have no outcome yet. */
  underWay = 0;
  #givingUp = false;

  constructor(target: DeadLetterTarget, group: string, clock: Clock) {
    this.topic = target.topic;
    this.#target = target;
    this.#group = group;
    this.#clock = clock;
  }

  /** Why dead letters cannot be written. Undefined: they can. */
  get trouble(): string | undefined {
    const [why] = this.#troubled.values();
    return why && `a dead letter cannot be written to ${this.topic}: ${why}`;
  }

  /** It is given back, or lost. */
  forget(lent: Lent): void {
    if (this.#troubled.size > 0) this.#troubled.delete(lent);
  }

  /**
   * Tries until it is written, however long that takes: the lease is kept meanwhile (D15). `done` is called once, or never if the message
   * is given back or lost between two tries.
   */
  bury(lent: Lent, reason: string, done: (outcome: DeadLetterOutcome) => void, attempt = 1): void {
    lent.state = "dead";
    this.underWay += 1;
    this.#write(lent, reason, (outcome) => {
      this.underWay -= 1;
      if (lent.state !== "dead") done("over");
      else if (outcome !== "failed" || this.#givingUp || lent.leaving) done(outcome);
      else {
        lent.state = "backoff";
        const wait = waitMs(AGAIN, attempt, this.#clock.random());
        lent.cancel = this.#clock.after(wait, () => this.bury(lent, reason, done, attempt + 1));
      }
    });
  }

  /** From here on the outcome of a write is final. */
  giveUp(): void {
    this.#givingUp = true;
  }

  #write(lent: Lent, reason: string, done: (outcome: DeadLetterOutcome) => void): void {
    const { delivery } = lent;
    const message = this.#letter(lent, reason);
    const ended = (outcome: "acked" | "stored", error?: PubSubError): void => {
      if (!error) this.#troubled.clear();
      else if (lent.state === "dead") this.#troubled.set(lent, error.message);
      done(error ? "failed" : outcome);
    };
    if (!delivery.move) this.#target.publish(message, (error) => ended("stored", error));
    else if (!delivery.move({ ...sent(message), done: (error) => ended("acked", error) })) done("over");
  }

  #letter({ delivery, failures, firstFailedAt }: Lent, reason: string): Message {
    const { topic, position, key, data } = delivery;
    const now = this.#clock.now();
    const id = `dl:${this.#group}:${topic}:${position ?? ""}`;
    const where = {
      [DEAD_LETTER.id]: id,
      [DEAD_LETTER.topic]: topic,
      [DEAD_LETTER.group]: this.#group,
      ...(position === undefined ? {} : { [DEAD_LETTER.position]: position }),
    };
    const why = {
      [DEAD_LETTER.reason]: reason.slice(0, MOST_REASON).toWellFormed(),
      [DEAD_LETTER.failures]: String(failures),
      [DEAD_LETTER.first]: new Date(firstFailedAt ?? now).toISOString(),
      [DEAD_LETTER.last]: new Date(now).toISOString(),
    };
    const dedupId = position === undefined ? undefined : id;
    const whole = { topic: this.topic, data, attributes: { ...delivery.attributes, ...where, ...why }, key, dedupId };
    // A message that was as large as the broker takes them has no room for its reasons.
    return sizeOf(whole) <= this.#target.maxBytes ? whole : { ...whole, attributes: { ...delivery.attributes, ...where } };
  }
}

/** Without the members that are undefined. */
function sent({ topic, data, attributes, key, dedupId }: Message): Omit<Outgoing, "done"> {
  return { topic, data, attributes, ...(key === undefined ? {} : { key }), ...(dedupId === undefined ? {} : { dedupId }) };
}

function sizeOf({ data, attributes }: Message): number {
  let size = data.length;
  for (const [name, value] of Object.entries(attributes)) size += Buffer.byteLength(name) + Buffer.byteLength(value);
  return size;
}
