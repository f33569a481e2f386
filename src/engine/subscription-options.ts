import type { AppSubscription } from "../app/channel.ts";
import type { Order, Start } from "../pubsub/subscription.ts";
import { type Own, withOwn } from "../resiliency/own.ts";
import type { DeliveryPolicy } from "../resiliency/policy.ts";
import { wantsRaw } from "./raw-payload.ts";

/** A subscription that the configuration declares: its group exists from the start, and the app need not ask for it (D16). */
export interface DeclaredSubscription extends AppSubscription {
  /** Default: the component's. */
  readonly group?: string;
  /** Where a new group begins. Default: `earliest`. */
  readonly start?: Start;
  /** Default: what the app's metadata says, else the broker's own. */
  readonly order?: Order;
  /** Where to put what failed too often, or was dropped. Default: what the app's metadata says; else nowhere. */
  readonly deadLetterTopic?: string;
  readonly policy?: Own<Omit<DeliveryPolicy, "maxPendingBytes">>;
}

export interface SubscriptionOptions {
  readonly order: Order;
  readonly deadLetterTopic: string | undefined;
  readonly rawPayload: boolean;
  readonly policy: DeliveryPolicy;
}

const ORDERS: readonly string[] = ["none", "key", "topic"] satisfies readonly Order[];

/**
 * How one subscription is read: by what is declared, what the app's metadata says (`order`, `deadLetterTopic`, `maxFailures`,
 * `rawPayload`), and else by `defaults` and `defaultOrder`. A string instead says in words what is wrong with it.
 */
export function subscriptionOptions(
  subscription: DeclaredSubscription,
  defaults: DeliveryPolicy,
  defaultOrder: Order = "none",
): SubscriptionOptions | string {
  const { metadata, topic, policy = {} } = subscription;
  const order = subscription.order ?? metadata.order ?? defaultOrder;
  const deadLetterTopic = (subscription.deadLetterTopic ?? metadata.deadLetterTopic) || undefined;
  const maxFailures = policy.retry?.maxFailures ?? Number(metadata.maxFailures ?? defaults.retry.maxFailures);
  if (!isOrder(order)) return `its order is "${order}", not one of ${ORDERS.join(", ")}`;
  if (!(maxFailures >= 1)) return `its maxFailures is "${metadata.maxFailures}", not a number of at least 1`;
  if (deadLetterTopic === topic) return "its dead-letter topic is the topic itself: what fails would come again without end";
  return {
    order,
    deadLetterTopic,
    rawPayload: wantsRaw(metadata),
    policy: withOwn(defaults, { ...policy, retry: { ...policy.retry, maxFailures } }),
  };
}

function isOrder(text: string): text is Order {
  return ORDERS.includes(text);
}
