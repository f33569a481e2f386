import { fromBinary } from "@bufbuild/protobuf";
import { PublishEventRequestSchema } from "layotto-proto/runtime";
import { formatAddress, listen, Status } from "layotto-transport";
import { expect, test } from "vitest";
import { createPublisher } from "./publisher.ts";

const PUBLISH = "/spec.proto.runtime.v1.Runtime/PublishEvent";

test.each([
  ["value1", "text/plain", "value1"],
  [new TextEncoder().encode("bytes"), "application/octet-stream", "bytes"],
  [new Uint16Array(new TextEncoder().encode("two bytes ").buffer, 4), "application/octet-stream", "bytes "],
  [new TextEncoder().encode("bytes").buffer, "application/octet-stream", "bytes"],
  [{ n: 1 }, "application/json", '{"n":1}'],
])("%j is published as %s", async (data, contentType, bytes) => {
  const requests: Uint8Array[] = [];
  const server = await listen(
    { host: "127.0.0.1", port: 0 },
    {
      handlers: {
        [PUBLISH]: (request, call) => {
          requests.push(request);
          call.respond(new Uint8Array());
        },
      },
    },
  );
  const publisher = createPublisher({ address: formatAddress(server.address) });
  await publisher.publishEvent("redis", "topic1", data, { metadata: { mykey: "v" } });
  publisher.close();
  await server.close();
  const [request] = requests.map((one) => fromBinary(PublishEventRequestSchema, one));
  expect(request).toMatchObject({ pubsubName: "redis", topic: "topic1", dataContentType: contentType, metadata: { mykey: "v" } });
  expect(new TextDecoder().decode(request?.data)).toBe(bytes);
});

test("what the sidecar answers is the error", async () => {
  const server = await listen(
    { host: "127.0.0.1", port: 0 },
    { handlers: { [PUBLISH]: (_, call) => call.fail(Status.INVALID_ARGUMENT, "pubsub nope not found") } },
  );
  const publisher = createPublisher({ address: formatAddress(server.address) });
  await expect(publisher.publishEvent("nope", "t", "x")).rejects.toMatchObject({ code: 3, details: "pubsub nope not found" });
  publisher.close();
  await server.close();
});

test("a bad address is an error at once", () => {
  expect(() => createPublisher({ address: "nowhere" })).toThrow(/nowhere/);
});

test("data without a JSON form rejects, and throws nothing", async () => {
  const publisher = createPublisher({ address: "127.0.0.1:1" });
  await expect(publisher.publishEvent("p", "t", undefined)).rejects.toThrow(/no JSON form/);
  await expect(publisher.publishEvent("p", "t", { count: 1n })).rejects.toThrow(TypeError);
  for (const data of [new Map([["a", 1]]), new Set([1])])
    await expect(publisher.publishEvent("p", "t", data)).rejects.toThrow(/no JSON form/);
  publisher.close();
});
