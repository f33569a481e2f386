import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { PublishEventRequestSchema, SayHelloRequestSchema, SayHelloResponseSchema } from "layotto-proto/runtime";
import { connect, listen, type RpcError } from "layotto-transport";
import { expect, test } from "vitest";
import type { PublishRequest } from "../../engine/publish.ts";
import { CatalogueError } from "../../errors/catalogue.ts";
import { layotto } from "./layotto.ts";

async function call(method: string, request: Uint8Array): Promise<{ seen: PublishRequest[]; response?: Uint8Array; error?: RpcError }> {
  const seen: PublishRequest[] = [];
  const engine = {
    publish: (one: PublishRequest, done: (error?: CatalogueError) => void) => {
      seen.push(one);
      done(one.pubsub === "redis" ? undefined : new CatalogueError("PUBSUB_NOT_FOUND", { pubsub: one.pubsub }));
    },
  };
  const server = await listen({ host: "127.0.0.1", port: 0 }, { handlers: layotto(engine) });
  const client = connect(server.address);
  const outcome = await new Promise<{ response: Uint8Array } | { error: RpcError }>((resolve) => {
    client.unary(`/spec.proto.runtime.v1.Runtime/${method}`, request, {
      response: (response) => resolve({ response }),
      failed: (error) => resolve({ error }),
    });
  });
  client.close();
  await server.close();
  return { seen, ...outcome };
}

const publication = (pubsubName: string) =>
  toBinary(
    PublishEventRequestSchema,
    create(PublishEventRequestSchema, { pubsubName, topic: "t", data: Buffer.from("v"), metadata: { a: "b" } }),
  );

test("PublishEvent reaches the engine and is answered empty", async () => {
  const { seen, response } = await call("PublishEvent", publication("redis"));
  expect(seen).toMatchObject([{ pubsub: "redis", topic: "t", contentType: "", metadata: { a: "b" } }]);
  expect(response?.length).toBe(0);
});

test("an error has the code and the text that Layotto's clients know", async () => {
  const { error } = await call("PublishEvent", publication("nope"));
  expect([error?.code, error?.details]).toEqual([3, "pubsub nope not found"]);
});

test("SayHello answers", async () => {
  const { response } = await call("SayHello", toBinary(SayHelloRequestSchema, create(SayHelloRequestSchema, { name: "you" })));
  expect(response && fromBinary(SayHelloResponseSchema, response).hello).toBe("greeting, you");
});

test.each(["GetState", "SubscribeTopicEvents", "InvokeService"])("%s is UNIMPLEMENTED at once", async (method) => {
  expect((await call(method, new Uint8Array())).error?.code).toBe(12);
});

test("bytes that are no request are an error, and nothing reaches the engine", async () => {
  const { seen, error } = await call("PublishEvent", Uint8Array.of(0xff, 0xff));
  expect([seen, error?.code]).toEqual([[], 13]);
  expect(error?.details).toContain("PublishEventRequest");
});
