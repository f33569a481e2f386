import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ListTopicSubscriptionsResponseSchema, TopicEventRequestSchema, TopicEventResponseSchema } from "layotto-proto/appcallback";
import { connect, parseAddress, Status } from "layotto-transport";
import { afterEach, expect, test, vi } from "vitest";
import { createSubscriber, type Handler, type Subscriber } from "./subscriber.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function call(subscriber: Subscriber, method: string, request: Uint8Array): Promise<Uint8Array> {
  const address = parseAddress(await subscriber.listen());
  cleanups.push(() => subscriber.close(AbortSignal.abort()));
  const client = connect(address ?? { path: "" });
  cleanups.push(() => client.close());
  return new Promise((resolve, reject) => {
    client.unary(`/spec.proto.runtime.v1.AppCallback/${method}`, request, { response: resolve, failed: reject });
  });
}

const request = (topic = "topic1") =>
  toBinary(
    TopicEventRequestSchema,
    create(TopicEventRequestSchema, { id: "1", pubsubName: "redis", topic, data: Buffer.from('{"n":1}'), metadata: { a: "b" } }),
  );

const errors: unknown[] = [];
const subscriberOf = (handler: Handler) =>
  createSubscriber({ address: "127.0.0.1:0", onError: (error) => errors.push(error) }).subscribe("redis", "topic1", handler, {
    metadata: { rawPayload: "true" },
  });

test("the sidecar learns what is subscribed", async () => {
  const bytes = await call(
    subscriberOf(() => undefined),
    "ListTopicSubscriptions",
    new Uint8Array(),
  );
  expect(fromBinary(ListTopicSubscriptionsResponseSchema, bytes).subscriptions).toMatchObject([
    { pubsubName: "redis", topic: "topic1", metadata: { rawPayload: "true" } },
  ]);
});

test.each([
  ["nothing", () => undefined, 0],
  ["success", () => "success", 0],
  ["retry", () => Promise.resolve("retry"), 1],
  ["drop", () => "drop", 2],
  ["a rejection", () => Promise.reject(new Error("no")), 1],
  ["what is no result", () => "sucess" as "success", 1],
] as readonly [string, Handler, number][])("%s from a handler is status %#", async (_, handler, status) => {
  expect(fromBinary(TopicEventResponseSchema, await call(subscriberOf(handler), "OnTopicEvent", request())).status).toBe(status);
});

test("the handler gets the event, and what it throws is told", async () => {
  const thrown = new Error("boom");
  let seen: unknown;
  errors.length = 0;
  await call(
    subscriberOf((event) => {
      seen = { id: event.id, pubsub: event.pubsub, topic: event.topic, json: event.json(), text: event.text(), metadata: event.metadata };
      throw thrown;
    }),
    "OnTopicEvent",
    request(),
  );
  expect(seen).toEqual({ id: "1", pubsub: "redis", topic: "topic1", json: { n: 1 }, text: '{"n":1}', metadata: { a: "b" } });
  expect(errors).toEqual([thrown]);
});

test("an event without a handler is an error, not lost", async () => {
  await expect(
    call(
      subscriberOf(() => undefined),
      "OnTopicEvent",
      request("other"),
    ),
  ).rejects.toThrow("no handler for redis/other");
});

test("an event without a handler waits for another app, where that is wanted", async () => {
  const subscriber = createSubscriber({ address: "127.0.0.1:0", others: "wait" }).subscribe("redis", "topic1", () => undefined);
  await expect(call(subscriber, "OnTopicEvent", request("other"))).rejects.toMatchObject({ code: Status.UNIMPLEMENTED });
});

test("what was unsubscribed from has no handler, also while the sidecar still has events of it", async () => {
  const subscriber = createSubscriber({ address: "127.0.0.1:0", others: "wait" }).subscribe("redis", "topic1", () => undefined);
  subscriber.unsubscribe("redis", "topic1");
  await expect(call(subscriber, "OnTopicEvent", request())).rejects.toMatchObject({ code: Status.UNIMPLEMENTED });
});

test("two handlers for one topic, and a taken address, are errors", async () => {
  const subscriber = subscriberOf(() => undefined);
  expect(() => subscriber.subscribe("redis", "topic1", () => undefined)).toThrow(/already/);
  const address = await subscriber.listen();
  cleanups.push(() => subscriber.close(AbortSignal.abort()));
  expect(() => subscriber.subscribe("redis", "topic2", () => undefined)).toThrow(/before listen/);
  await expect(createSubscriber({ address }).listen()).rejects.toThrow(/EADDRINUSE/);
});

const wrong = new Error("in onError");
test.each<[string, () => never | Promise<never>]>([
  [
    "throws",
    () => {
      throw wrong;
    },
  ],
  ["rejects", () => Promise.reject(wrong)],
])("a listener that %s when it is told of an error does not end the app", async (_, onError) => {
  const written = vi.spyOn(console, "error").mockReturnValue();
  cleanups.push(() => written.mockRestore());
  const failing = createSubscriber({ address: "127.0.0.1:0", onError }).subscribe("redis", "topic1", onError);
  expect(fromBinary(TopicEventResponseSchema, await call(failing, "OnTopicEvent", request())).status).toBe(1);
  expect(written).toHaveBeenCalledOnce();
});
