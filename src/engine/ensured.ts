import type { Clock } from "../pubsub/clock.ts";
import { PubSubError } from "../pubsub/error.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { SubscribeRequest } from "../pubsub/subscription.ts";
import { type Backoff, waitMs } from "../resiliency/backoff.ts";

const RETRY: Backoff = { firstMs: 100, mostMs: 5_000 };

/** Makes a topic and groups of it exist before anybody reads in them (D16), trying until the broker took it or `signal` aborts. `refused` hears of an error that trying cannot mend, once. */
export async function ensured(
  pubsub: PubSub,
  topic: string,
  groups: readonly SubscribeRequest[],
  clock: Clock,
  signal: AbortSignal,
  refused: (error: PubSubError) => void,
): Promise<void> {
  let told = false;
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      await pubsub.ensure(topic, groups, signal);
      return;
    } catch (error) {
      if (!(error instanceof PubSubError)) throw error;
      if (error.permanent && !told && !signal.aborted) {
        told = true;
        refused(error);
      }
    }
    await later(waitMs(RETRY, failures, clock.random()), clock, signal);
  }
}

function later(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const cancel = clock.after(ms, () => {
      signal.removeEventListener("abort", over);
      resolve();
    });
    const over = () => {
      cancel();
      resolve();
    };
    signal.addEventListener("abort", over, { once: true });
  });
}
