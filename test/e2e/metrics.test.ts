import { afterEach, expect, test } from "vitest";
import { PUBSUB, Rig, TOPIC } from "./rig.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test("what is scraped agrees with what was published, delivered and answered, to the message", async () => {
  const rig = await Rig.make({ type: "in-memory", metadata: {} });
  cleanups.push(() => rig.close());
  const asked = new Set<string>();
  rig.handler = (event) => {
    if (event.text() === "drop") return "drop";
    if (event.text() !== "retry" || asked.has(event.id)) return "success";
    asked.add(event.id);
    return "retry";
  };
  await rig.startApp();
  await rig.startSidecar();
  await rig.expectState("running");
  const publish = (data: string, metadata: Record<string, string> = {}) => rig.publisher.publishEvent(PUBSUB, TOPIC, data, { metadata });
  for (let index = 0; index < 20; index++) await publish(`m${index}`);
  await publish("drop");
  await publish("retry");
  await publish("raw", { rawPayload: "true" });
  await expect(publish("x", { ttlInSeconds: "soon" })).rejects.toThrow("INVALID_ARGUMENT");
  await expect(rig.publisher.publishEvent("nope", TOPIC, "x")).rejects.toThrow("INVALID_ARGUMENT");
  const topic = `pubsub="${PUBSUB}",topic="${TOPIC}"`;
  const read = `${topic},group="app1"`;
  await expect.poll(async () => (await rig.metrics()).get(`layotto_acked_messages_total{${read}}`), { timeout: 10_000 }).toBe(23);
  const metrics = await rig.metrics();
  const expected: Readonly<Record<string, number>> = {
    [`layotto_published_messages_total{${topic}}`]: 23,
    [`layotto_publish_failures_total{${topic},error_type="invalid_argument"}`]: 1,
    [`layotto_delivered_messages_total{${read}}`]: 24,
    [`layotto_retried_messages_total{${read}}`]: 1,
    [`layotto_dropped_messages_total{${read}}`]: 1,
    [`layotto_expired_messages_total{${read}}`]: 0,
    [`layotto_undecodable_messages_total{${read}}`]: 0,
    [`layotto_in_flight_messages{${read}}`]: 0,
    [`layotto_pending_messages{${read}}`]: 0,
    [`layotto_window_messages{${read}}`]: 1_000,
    [`layotto_lag_messages{${read}}`]: 0,
    [`layotto_oldest_message_age_seconds{${read}}`]: 0,
    [`layotto_subscription_state{${read},state="running"}`]: 1,
    [`layotto_subscription_state{${read},state="paused"}`]: 0,
    [`layotto_pubsub_up{pubsub="${PUBSUB}"}`]: 1,
    [`layotto_publish_duration_seconds_count{pubsub="${PUBSUB}"}`]: 24,
    [`layotto_process_duration_seconds_count{pubsub="${PUBSUB}"}`]: 24,
    [`layotto_publish_batch_messages_sum{pubsub="${PUBSUB}"}`]: 23,
    layotto_publish_buffer_bytes: 0,
    'grpc_request_total{service="/spec.proto.runtime.v1.Runtime/PublishEvent"}': 25,
    'grpc_response_succ_total{service="/spec.proto.runtime.v1.Runtime/PublishEvent"}': 23,
    'grpc_response_fail_total{service="/spec.proto.runtime.v1.Runtime/PublishEvent"}': 2,
  };
  expect(Object.fromEntries(Object.keys(expected).map((name) => [name, metrics.get(name)]))).toEqual(expected);
}, 60_000);
