import { getEventListeners } from "node:events";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ListTopicSubscriptionsResponseSchema, TopicEventRequestSchema } from "layotto-proto/appcallback";
import { formatAddress, type Handlers, listen, Status, type UnaryHandler } from "layotto-transport";
import { afterEach, expect, test } from "vitest";
import type { AppEvent, Verdict } from "./channel.ts";
import { GrpcChannel } from "./grpc-channel.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const event: AppEvent = {
  id: "1",
  source: "s",
  type: "t",
  specVersion: "1.0",
  contentType: "text/plain",
  data: Buffer.from("value1"),
  raw: false,
  topic: "topic1",
  pubsub: "redis",
  metadata: { mykey: "v" },
};

async function app(handlers: Record<string, UnaryHandler>): Promise<string> {
  const named: Handlers = Object.fromEntries(
    Object.entries(handlers).map(([method, handler]) => [`/spec.proto.runtime.v1.AppCallback/${method}`, handler]),
  );
  const server = await listen({ host: "127.0.0.1", port: 0 }, { handlers: named });
  cleanups.push(() => server.close(AbortSignal.abort()));
  return formatAddress(server.address);
}

async function channel(address: string): Promise<GrpcChannel> {
  const made = new GrpcChannel(address);
  cleanups.push(() => made.close());
  made.open();
  if (!made.reachable) await new Promise<void>((resolve) => made.onReachable((reachable) => reachable && resolve()));
  return made;
}

const verdict = (to: GrpcChannel, timeoutMs = 10_000): Promise<Verdict> =>
  new Promise((resolve) => to.deliver(event, { verdict: resolve }, timeoutMs));

test("the app gets the event as Layotto's clients know it", async () => {
  const seen = Promise.withResolvers<Uint8Array>();
  const address = await app({
    OnTopicEvent: (request, call) => {
      seen.resolve(request);
      call.respond(new Uint8Array());
    },
  });
  expect(await verdict(await channel(address))).toBe("success");
  expect(fromBinary(TopicEventRequestSchema, await seen.promise)).toMatchObject({
    id: "1",
    source: "s",
    type: "t",
    specVersion: "1.0",
    dataContentType: "text/plain",
    topic: "topic1",
    pubsubName: "redis",
    metadata: { mykey: "v" },
  });
});

test.each([
  [0, "success"],
  [1, "retry"],
  [2, "drop"],
  [9, "retry"],
])("status %i means %s", async (status, meaning) => {
  const answer = Uint8Array.of(0x08, status); // field 1, also with a number that the protocol does not know
  expect(await verdict(await channel(await app({ OnTopicEvent: (_, call) => call.respond(answer) })))).toBe(meaning);
});

test.each([
  ["an error", "failed", (_: Uint8Array, call: Parameters<UnaryHandler>[1]) => call.fail(Status.UNAVAILABLE, "busy")],
  ["garbage", "failed", (_: Uint8Array, call: Parameters<UnaryHandler>[1]) => call.respond(Uint8Array.of(0xff))],
  ["UNIMPLEMENTED", "unimplemented", (_: Uint8Array, call: Parameters<UnaryHandler>[1]) => call.fail(Status.UNIMPLEMENTED, "")],
] as const)("%s means %s", async (_, meaning, handler) => {
  expect(await verdict(await channel(await app({ OnTopicEvent: handler })))).toBe(meaning);
});

test("a call beyond the processing timeout has failed", async () => {
  expect(await verdict(await channel(await app({ OnTopicEvent: () => undefined })), 100)).toBe("failed");
});

test("an app that goes away in mid-call is lost, then unreachable, and is found again without being asked", async () => {
  const arrived = Promise.withResolvers<void>();
  const server = await listen(
    { host: "127.0.0.1", port: 0 },
    { handlers: { "/spec.proto.runtime.v1.AppCallback/OnTopicEvent": () => arrived.resolve() } },
  );
  const to = await channel(formatAddress(server.address));
  const states: boolean[] = [];
  const back = new Promise<void>((resolve) => {
    to.onReachable((reachable) => {
      states.push(reachable);
      if (reachable) resolve();
    });
  });
  const pending = verdict(to);
  await arrived.promise;
  await server.close(AbortSignal.abort());
  expect(await pending).toBe("lost");
  expect(await verdict(to)).toBe("unreachable");
  const again = await listen(server.address, { handlers: {} });
  cleanups.push(() => again.close(AbortSignal.abort()));
  await back;
  expect(states).toEqual([false, true]);
});

test("the app says what it wants, or that it does not answer that", async () => {
  const list = toBinary(
    ListTopicSubscriptionsResponseSchema,
    create(ListTopicSubscriptionsResponseSchema, { subscriptions: [{ pubsubName: "redis", topic: "topic1", metadata: { a: "b" } }] }),
  );
  const signal = new AbortController().signal;
  const some = await channel(await app({ ListTopicSubscriptions: (_, call) => call.respond(list) }));
  expect(await some.subscriptions(signal)).toEqual([{ pubsub: "redis", topic: "topic1", metadata: { a: "b" } }]);
  expect(await (await channel(await app({}))).subscriptions(signal)).toBeUndefined();
  const failing = await channel(await app({ ListTopicSubscriptions: (_, call) => call.fail(Status.INTERNAL, "no") }));
  await expect(failing.subscriptions(signal)).rejects.toThrow("no");
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
