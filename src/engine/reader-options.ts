import type { Order } from "../pubsub/subscription.ts";
import type { DeliveryPolicy } from "../resiliency/policy.ts";
import type { Histogram } from "../telemetry/histogram.ts";
import type { ReaderCounts } from "../telemetry/measures.ts";
import type { Budget } from "./budget.ts";
import type { DeadLetterTarget } from "./dead-letter.ts";
import type { Flight } from "./flight.ts";

export interface ReaderOptions {
  /** The component's name, as the app knows it. */
  readonly pubsub: string;
  readonly group: string;
  readonly order: Order;
  /** The subscription asked for the bytes as they are, even if they are a CloudEvent. */
  readonly rawPayload: boolean;
  readonly policy: DeliveryPolicy;
  /** The longest delay that the broker takes, in milliseconds: what is to wait longer comes again after that. Default: without bound. */
  readonly maxDelayMs?: number;
  /** Where to put what failed too often, or was dropped. Without it, it is tried for ever. */
  readonly deadLetters?: DeadLetterTarget | undefined;
  /** Is told, once for each reason, that the subscription cannot be had until something is mended. */
  readonly refused?: (reason: string) => void;
  /** Is told that a message failed, with the event's id and the reason: it comes again, or becomes a dead letter. */
  readonly failed?: (id: string, reason: string) => void;
  /** Is told that a message became a dead letter, with the event's id and the reason. */
  readonly deadLettered?: (id: string, reason: string) => void;
  /** Is told that leases were lost, with the reason: the messages come again, here or elsewhere. */
  readonly lost?: (messages: number, reason: string) => void;
}

/** What the subscriptions of one app share. */
export interface Shared {
  readonly flight: Flight;
  /** What all of them may hold beyond the first few kilobytes of each (D7). */
  readonly memory: Budget;
}

/** Where a reader's numbers are kept. They outlive it. */
export interface Measured {
  readonly counts: ReaderCounts;
  readonly processSeconds: Histogram;
}
