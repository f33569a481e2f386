import { afterEach, expect, test } from "vitest";
import { startRedis } from "../brokers/redis.ts";
import { withRedis } from "../brokers/with.ts";
import { Program } from "./program.ts";
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

withRedis("redis", () => {
  test("layotto bench counts every message, as the metrics do; 64 publishes at once share calls of the broker", async () => {
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const rig = await Rig.make({ type: "redis", metadata: { redisHost: `127.0.0.1:${redis.port}` } });
    cleanups.push(() => rig.close());
    await rig.startSidecar();
    const { grpc, app } = rig.addresses;
    const where = ["-a", grpc, "--app-address", app, "--pid", String(rig.pid), "--json"];
    const bench = new Program("src/main.ts", ["bench", PUBSUB, TOPIC, "--seconds", "2", "--warm-up", "0", ...where]);
    expect(await bench.ended(), bench.stderr).toBe(0);
    const report = JSON.parse(bench.stdout) as Record<string, number>;
    const { published = 0, rssBytes = 0 } = report;
    expect(report).toMatchObject({ failed: 0, delivered: published, duplicates: 0, missing: 0 });
    expect([published > 100, rssBytes > 2 ** 20]).toEqual([true, true]);
    const read = `{pubsub="${PUBSUB}",topic="${TOPIC}",group="app1"}`;
    await expect.poll(async () => (await rig.metrics()).get(`layotto_acked_messages_total${read}`), { timeout: 10_000 }).toBe(published);
    const metrics = await rig.metrics();
    const batch = (what: string) => metrics.get(`layotto_publish_batch_messages_${what}{pubsub="${PUBSUB}"}`) ?? 0;
    expect(batch("sum")).toBe(published);
    expect(batch("sum") / batch("count")).toBeGreaterThan(8);
    expect(metrics.get(`layotto_lag_messages${read}`)).toBe(0);
  }, 60_000);
});
