import { fromBinary } from "@bufbuild/protobuf";
import { type ListTopicSubscriptionsResponse, ListTopicSubscriptionsResponseSchema } from "layotto-proto/appcallback";
import type { AppSubscription } from "./channel.ts";

/** What an app's ListTopicSubscriptionsResponse says that it wants. Throws an Error when it is none. */
export function listed(bytes: Uint8Array): readonly AppSubscription[] {
  return parsed(bytes).subscriptions.map(({ pubsubName, topic, metadata }) => ({ pubsub: pubsubName, topic, metadata }));
}

function parsed(bytes: Uint8Array): ListTopicSubscriptionsResponse {
  try {
    return fromBinary(ListTopicSubscriptionsResponseSchema, bytes);
  } catch (error) {
    throw new Error("the app's answer is no ListTopicSubscriptionsResponse", { cause: error });
  }
}
