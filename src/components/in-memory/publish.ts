import { behind } from "../../pubsub/behind.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Broker } from "./broker.ts";

/** Stores a batch in its order. A key whose message was refused takes no later one of the batch. */
export function publish(broker: Broker, batch: readonly Outgoing[]): void {
  const refused = new Map<string, PubSubError>();
  for (const message of batch) {
    const lane = message.key === undefined ? undefined : JSON.stringify([message.topic, message.key]);
    const before = lane === undefined ? undefined : refused.get(lane);
    const stored = before ? behind(before) : broker.store(message);
    if (!(stored instanceof PubSubError)) message.done(undefined, String(stored.position));
    else {
      if (lane !== undefined && !before) refused.set(lane, stored);
      message.done(stored);
    }
  }
}
