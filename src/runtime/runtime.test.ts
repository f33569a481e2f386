import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ListTopicSubscriptionsResponseSchema, type TopicEventRequest, TopicEventRequestSchema } from "layotto-proto/appcallback";
import { createPublisher } from "layotto-sdk";
import { connect, formatAddress, listen, parseAddress, Status } from "layotto-transport";
import { afterEach, expect, test } from "vitest";
import { POLICY, PUBLISHING } from "../conformance/engine/policy.ts";
import type { Delivery } from "../pubsub/delivery.ts";
import { PubSubError } from "../pubsub/error.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Sink } from "../pubsub/subscription.ts";
import { createLog } from "../telemetry/log.ts";
import { type Runtime, startRuntime } from "./runtime.ts";
import type { RuntimeSettings } from "./settings.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A broker of one topic and one reader: lends each message as it comes. */
function oneReader(acked: string[]): PubSub {
  let sink: Sink | undefined;
  let position = 0;
  return {
    capabilities: { maxBatch: 100, maxBatchBytes: 1e7, maxBytes: 4 * 2 ** 20, publishPipeline: 1 },
    publish: (batch: Parameters<PubSub["publish"]>[0]) => {
      for (const { topic, data, attributes, done } of batch.map((one) => ({ ...one, done: one.done.bind(one) }))) {
        const at = String(++position);
        const delivery: Delivery = { topic, position: at, data, attributes, ack: () => acked.push(at) > 0, release: () => true };
        done(undefined, at);
        sink?.deliver([delivery]);
      }
    },
    subscribe: (_: unknown, reader: Sink) => {
      sink = reader;
      return Promise.resolve({ window: () => undefined, close: () => Promise.resolve(), closed: new Promise(() => undefined) });
    },
    inspect: () => Promise.resolve([]),
    ping: () => Promise.resolve(),
    close: () => Promise.resolve(),
  } as unknown as PubSub;
}

function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), "runtime-"));
  cleanups.push(() => rmSync(dir, { recursive: true }));
  return dir;
}

async function start(change: Partial<RuntimeSettings>, pubsub: PubSub): Promise<Runtime> {
  const settings: RuntimeSettings = {
    appId: "app1",
    grpcAddresses: ["127.0.0.1:0"],
    httpAddress: "127.0.0.1:0",
    metricsAddress: "127.0.0.1:0",
    pubsubs: new Map([["redis", { type: "test", group: "app1", ordering: "none", open: () => pubsub }]]),
    dataDir: temporary(),
    subscriptions: [],
    readiness: "lenient",
    shutdownTimeoutMs: 5_000,
    maxMessageBytes: 4 * 2 ** 20,
    version: "0.0.0",
    compiled: "2026-11-23T00:00:00Z",
    publish: PUBLISHING,
    publishBuffer: 64 * 2 ** 20,
    deliveryBuffer: 64 * 2 ** 20,
    delivery: POLICY,
    ...change,
  };
  const runtime = await startRuntime(settings, await createLog("silent", "json", new PassThrough() as unknown as NodeJS.WriteStream));
  cleanups.push(() => runtime.stop());
  return runtime;
}

/** An app that wants topic1 of redis and takes everything. */
async function app(): Promise<{ address: string; asked: Promise<void>; next(): Promise<TopicEventRequest> }> {
  const asked = Promise.withResolvers<void>();
  const events: TopicEventRequest[] = [];
  const takers: ((event: TopicEventRequest) => void)[] = [];
  const list = create(ListTopicSubscriptionsResponseSchema, { subscriptions: [{ pubsubName: "redis", topic: "topic1" }] });
  const server = await listen(
    { host: "127.0.0.1", port: 0 },
    {
      maxMessageBytes: 8 * 2 ** 20,
      handlers: {
        "/spec.proto.runtime.v1.AppCallback/ListTopicSubscriptions": (_, call) => {
          call.respond(toBinary(ListTopicSubscriptionsResponseSchema, list));
          asked.resolve();
        },
        "/spec.proto.runtime.v1.AppCallback/OnTopicEvent": (bytes, call) => {
          const event = fromBinary(TopicEventRequestSchema, bytes);
          call.respond(new Uint8Array());
          const taker = takers.shift();
          if (taker) taker(event);
          else events.push(event);
        },
      },
    },
  );
  cleanups.push(() => server.close(AbortSignal.abort()));
  const next = () => {
    const event = events.shift();
    return event ? Promise.resolve(event) : new Promise<TopicEventRequest>((resolve) => takers.push(resolve));
  };
  return { address: formatAddress(server.address), asked: asked.promise, next };
}

async function health(runtime: Runtime): Promise<{ components: Record<string, { details: { state?: string } }>; status: string }> {
  const response = await fetch(`http://${runtime.http}/actuator/health/readiness`);
  return (await response.json()) as Awaited<ReturnType<typeof health>>;
}

test("what is published through the sidecar reaches the app, and is acked", async () => {
  const acked: string[] = [];
  const subscriber = await app();
  const runtime = await start({ appAddress: subscriber.address }, oneReader(acked));
  await subscriber.asked;
  await expect.poll(async () => (await health(runtime)).components["subscription redis/topic1"]?.details.state).toBe("running");
  const publisher = createPublisher({ address: runtime.grpc[0] ?? "" });
  cleanups.push(() => publisher.close());
  await publisher.publishEvent("redis", "topic1", "value1", { metadata: { mykey: "v" } });
  const event = await subscriber.next();
  expect(event).toMatchObject({ pubsubName: "redis", topic: "topic1", dataContentType: "text/plain", metadata: { mykey: "v" } });
  expect(Buffer.from(event.data).toString()).toBe("value1");
  const large = new Uint8Array(4_000_000).fill(7);
  await publisher.publishEvent("redis", "topic1", large);
  expect(Buffer.compare((await subscriber.next()).data, large)).toBe(0);
  await expect.poll(() => acked).toEqual(["1", "2"]);
});

test("a message above the limit is refused with the limit in the text", async () => {
  const runtime = await start({}, oneReader([]));
  const publisher = createPublisher({ address: runtime.grpc[0] ?? "" });
  cleanups.push(() => publisher.close());
  await expect(publisher.publishEvent("redis", "t", new Uint8Array(5_000_000))).rejects.toMatchObject({
    code: 8,
    details: "error when publish to topic t in pubsub redis: the message has 5000000 bytes, the limit is 4194304",
  });
});

test("a port in use is an error that names it, and leaves nothing running", async () => {
  const first = await start({}, oneReader([]));
  await expect(start({ grpcAddresses: first.grpc }, oneReader([]))).rejects.toThrow(/EADDRINUSE/);
  await expect(start({ httpAddress: first.http }, oneReader([]))).rejects.toThrow(/EADDRINUSE/);
});

test("stopping twice is stopping once, and frees the ports", async () => {
  const runtime = await start({}, oneReader([]));
  await Promise.all([runtime.stop(), runtime.stop()]);
  await start({ grpcAddresses: runtime.grpc, httpAddress: runtime.http }, oneReader([]));
});

test("what the app subscribed to exists at the next start, before the app is back", async () => {
  const dataDir = temporary();
  const subscriber = await app();
  const first = await start({ appAddress: subscriber.address, dataDir }, oneReader([]));
  await subscriber.asked;
  await expect.poll(() => first.engine.subscriptions.length).toBe(1);
  await first.stop();
  const made: string[] = [];
  const pubsub = oneReader([]);
  pubsub.ensure = (topic, groups) => Promise.resolve(void made.push(`${topic}/${groups[0]?.group}`));
  await start({ dataDir }, pubsub);
  await expect.poll(() => made).toEqual(["topic1/app1"]);
});

test("strict readiness goes DOWN with a broker, lenient shows it", async () => {
  const gone = () => ({ ...oneReader([]), inspect: () => Promise.reject(new PubSubError("unavailable", "connection refused")) });
  const shown = { status: "UP", details: { state: "unreachable", reason: "connection refused" } };
  expect((await health(await start({}, gone()))).components["pubsub redis"]).toMatchObject(shown);
  expect(await health(await start({ readiness: "strict" }, gone()))).toMatchObject({ status: "DOWN" });
});

test("an open breaker of publishes is told to the publisher, in health and in the metrics; strict readiness goes DOWN", async () => {
  const failing = { ...oneReader([]), publish: (batch: Parameters<PubSub["publish"]>[0]) => fail(batch) };
  const fail = (batch: Parameters<PubSub["publish"]>[0]) => {
    for (const one of batch) one.done(new PubSubError("unavailable", "connection refused"));
  };
  const breaker = { failures: 1, pauseMs: 3_600_000 };
  const open = () => ({ type: "test", group: "app1", ordering: "none", open: () => failing, publish: { breaker } }) as const;
  const pubsubs = new Map([["redis", open()]]);
  const runtime = await start({ readiness: "strict", pubsubs }, failing);
  expect(await health(runtime)).toMatchObject({
    status: "UP",
    components: { "pubsub redis": { details: { breaker: { state: "closed" } } } },
  });
  const publisher = createPublisher({ address: runtime.grpc[0] ?? "" });
  cleanups.push(() => publisher.close());
  const reason = "1 calls of the broker in a row failed, the last with: connection refused";
  await expect(publisher.publishEvent("redis", "t", "x")).rejects.toMatchObject({
    code: Status.UNAVAILABLE,
    details: `error when publish to topic t in pubsub redis: the circuit breaker is open for 3600000 ms: ${reason}`,
  });
  const shown = { status: "DOWN", details: { state: "up", breaker: { state: "open", reason } } };
  expect(await health(runtime)).toMatchObject({ status: "DOWN", components: { "pubsub redis": shown } });
  const metrics = await (await fetch(`http://${runtime.metrics}/metrics`)).text();
  const states = metrics.split("\n").filter((line) => line.startsWith("layotto_publish_breaker_state{"));
  expect(states).toEqual(
    ["closed", "open", "half-open"].map(
      (state) => `layotto_publish_breaker_state{pubsub="redis",state="${state}"} ${Number(state === "open")}`,
    ),
  );
});

test("the gRPC address tells how it stands and what it serves, and a watcher does not hold up the end", async () => {
  const runtime = await start({}, oneReader([]));
  const client = connect(parseAddress(runtime.grpc[0] ?? "") ?? { path: "" });
  cleanups.push(() => client.close());
  const ask = (path: string, request: Uint8Array, failed: (error: unknown) => void) =>
    new Promise<Uint8Array>((resolve) => {
      const call = client.stream(path, { message: resolve, ended: failed, failed });
      call.send(request);
      call.end();
    });
  const ended = Promise.withResolvers<unknown>();
  expect([...(await ask("/grpc.health.v1.Health/Watch", new Uint8Array(), ended.resolve))]).toEqual([0x08, 1]);
  const services = await ask("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Uint8Array.of(0x3a, 0), () => undefined);
  expect(Buffer.from(services).toString("latin1")).toContain("spec.proto.runtime.v1.Runtime");
  await runtime.stop();
  expect(await ended.promise).toMatchObject({ code: Status.UNAVAILABLE });
});
