/** The errors of the catalogue that a call can cause. */
export const OVER_GRPC: readonly string[] = [
  "PUBSUB_NAME_EMPTY",
  "TOPIC_EMPTY",
  "PUBSUB_NOT_FOUND",
  "CLOUD_EVENT_INVALID",
  "MESSAGE_TOO_LARGE",
  "PUBLISH_BUFFER_FULL",
  "PUBLISH_RATE_EXCEEDED",
  "PUBLISH_BREAKER_OPEN",
  "PUBLISH_REFUSED",
  "PUBLISH_TIMED_OUT",
];
