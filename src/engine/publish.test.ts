import { expect, test } from "vitest";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import type { CatalogueError } from "../errors/catalogue.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { PubSubMeasures } from "../telemetry/measures.ts";
import type { Outbox } from "./outbox.ts";
import { CONTENT_TYPE, EXPIRATION, type PublishRequest, publish } from "./publish.ts";
import type { Message } from "./waiting.ts";

function run(change: Partial<PublishRequest>): { error: CatalogueError | undefined; sent: Message | undefined } {
  let sent: Message | undefined;
  let error: CatalogueError | undefined;
  const outbox = {
    publish: (message: Message, receiver: { published(): void }) => {
      sent = message;
      receiver.published();
    },
  } as unknown as Outbox;
  const pubsub = { capabilities: { maxBytes: 10 } } as unknown as PubSub;
  const request = { pubsub: "redis", topic: "t", data: Buffer.from("v"), contentType: "", metadata: {}, ...change };
  const measures = new PubSubMeasures();
  publish(new Map([["redis", { pubsub, maxBytes: 1_000, outbox, measures }]]), request, new SteppedClock(0), (failure) => {
    error = failure;
  });
  return { error, sent };
}

test.each([
  [{ pubsub: "" }, "PUBSUB_NAME_EMPTY", "invalid_argument", "pubsub name is empty"],
  [{ topic: "" }, "TOPIC_EMPTY", "invalid_argument", "topic is empty in pubsub redis"],
  [{ pubsub: "nope" }, "PUBSUB_NOT_FOUND", "invalid_argument", "pubsub nope not found"],
  [
    { data: Buffer.alloc(11) },
    "MESSAGE_TOO_LARGE",
    "resource_exhausted",
    "error when publish to topic t in pubsub redis: the message has 11 bytes, the limit is 10",
  ],
  [
    { metadata: { ttlInSeconds: "soon" } },
    "CLOUD_EVENT_INVALID",
    "invalid_argument",
    "cannot create cloudevent: ttlInSeconds value must be a valid integer: actual is 'soon'",
  ],
])("%j is refused as %s, and nothing is sent", (change, id, code, text) => {
  const { error, sent } = run(change);
  expect([error?.id, error?.code, error?.message, sent]).toEqual([id, code, text, undefined]);
});

test("an event is wrapped, its metadata travels beside it, and its key and expiry are known to the broker", () => {
  const { error, sent } = run({ metadata: { mykey: "v", partitionKey: "k", ttlInSeconds: "60" } });
  expect(error).toBeUndefined();
  expect(sent).toMatchObject({ key: "k", expiresAt: 60_000, attributes: { mykey: "v" } });
  expect(JSON.parse(Buffer.from(sent?.data ?? []).toString())).toMatchObject({ data: "v", expiration: "1970-01-01T00:01:00.000Z" });
});

test("a raw payload goes as it is, with its content type and expiry beside it", () => {
  const { sent } = run({ contentType: "image/png", metadata: { rawPayload: "true", ttlInSeconds: "1" } });
  expect(Buffer.from(sent?.data ?? []).toString()).toBe("v");
  expect(sent?.attributes).toMatchObject({ [CONTENT_TYPE]: "image/png", [EXPIRATION]: "1970-01-01T00:00:01.000Z" });
});
