import { deflateSync, gzipSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { MOST_BYTES } from "./compressed.ts";
import { Encoding, MessageSchema } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { fromMessage, type Received } from "./message.ts";

function received(body: Uint8Array, bodyEncoding: Encoding): Received {
  return fromMessage(create(MessageSchema, { systemProperties: { messageId: "m", bodyEncoding }, body }));
}

const text = Buffer.from("hello ".repeat(1_000));

test.each([
  ["as RocketMQ's older clients do it", deflateSync],
  ["as its name says", gzipSync],
])("a body that its publisher compressed %s is the bytes that were published", (_, compress) => {
  const { data, attributes, size } = received(compress(text), Encoding.GZIP);
  expect(Buffer.from(data).equals(text)).toBe(true);
  expect({ ...attributes }).toEqual({});
  expect(size).toBeGreaterThan(text.length);
});

test("what is not marked as compressed is left alone", () => {
  const body = gzipSync(text);
  expect(received(body, Encoding.IDENTITY).data).toEqual(body);
});

test.each([
  ["is none", Buffer.from("not compressed")],
  ["would be too large", gzipSync(Buffer.alloc(MOST_BYTES + 1))],
])("what is said to be compressed and %s is delivered as it came, and says so", (_, body) => {
  const { data, attributes } = received(body, Encoding.GZIP);
  expect(Buffer.from(data).equals(body)).toBe(true);
  expect({ ...attributes }).toEqual({ "rocketmq-body-encoding": "gzip" });
});
