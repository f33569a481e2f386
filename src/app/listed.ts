import { fromBinary } from "@bufbuild/protobuf";
import { ListTopicSubscriptionsResponseSchema } from "layotto-proto/appcallback";
import type { AppSubscription } from "./channel.ts";

/** What an app's ListTopicSubscriptionsResponse says that it wants. */
export function listed(bytes: Uint8Array): readonly AppSubscription[] {
  const { subscriptions } = fromBinary(ListTopicSubscriptionsResponseSchema, bytes);
  return subscriptions.map(({ pubsubName, topic, metadata }) => ({ pubsub: pubsubName, topic, metadata }));
}
