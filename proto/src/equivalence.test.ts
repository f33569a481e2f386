import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type TopicEventResponse_TopicEventResponseStatus as EventStatus,
  TopicEventRequestSchema,
  TopicEventResponseSchema,
} from "../gen/spec/proto/runtime/v1/appcallback_pb.ts";
import { PublishEventRequestSchema } from "../gen/spec/proto/runtime/v1/runtime_pb.ts";
import { data, metadata, plain, text, verdict, wire } from "./equivalence.fixture.ts";
import { decodePublishEvent, encodePublishEvent, type PublishEvent } from "./publish-event.ts";
import { decodeTopicEvent, decodeTopicEventStatus, encodeTopicEvent, encodeTopicEventStatus, type TopicEvent } from "./topic-event.ts";

// protobuf-es is what says how it must be. Run longer with RUNS=100000.
const numRuns = Number(process.env.RUNS ?? 1000);
const publishEvent = fc.record({ pubsubName: text, topic: text, data, dataContentType: text, metadata });
const topicEvent = fc.record({
  id: text,
  source: text,
  type: text,
  specVersion: text,
  dataContentType: text,
  topic: text,
  data,
  pubsubName: text,
  metadata,
});
const PUBLISH: readonly (keyof PublishEvent)[] = ["pubsubName", "topic", "data", "dataContentType", "metadata"];
const TOPIC: readonly (keyof TopicEvent)[] = [
  "id",
  "source",
  "type",
  "specVersion",
  "dataContentType",
  "topic",
  "data",
  "pubsubName",
  "metadata",
];
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("PublishEventRequest", () => {
  test("has the bytes that protobuf-es gives it, and is read from them alike", () => {
    fc.assert(
      fc.property(publishEvent, (event) => {
        const bytes = toBinary(PublishEventRequestSchema, create(PublishEventRequestSchema, event));
        expect(hex(encodePublishEvent(event))).toBe(hex(bytes));
        expect(verdict(() => decodePublishEvent(bytes), PUBLISH)).toEqual(
          verdict(() => fromBinary(PublishEventRequestSchema, bytes), PUBLISH),
        );
      }),
      { numRuns: numRuns / 4 },
    );
  });

  test("two in a row are one, in which the last of each field counts", () => {
    fc.assert(
      fc.property(publishEvent, publishEvent, (first, second) => {
        const bytes = Buffer.concat([encodePublishEvent(first), encodePublishEvent(second)]);
        expect(verdict(() => decodePublishEvent(bytes), PUBLISH)).toEqual(
          verdict(() => fromBinary(PublishEventRequestSchema, bytes), PUBLISH),
        );
      }),
      { numRuns: numRuns / 10 },
    );
  });

  test("is or is not one for both", () => {
    fc.assert(
      fc.property(wire, (bytes) => {
        expect(verdict(() => decodePublishEvent(bytes), PUBLISH)).toEqual(
          verdict(() => fromBinary(PublishEventRequestSchema, bytes), PUBLISH),
        );
      }),
      { numRuns },
    );
  });
});

describe("TopicEventRequest", () => {
  test("has the bytes that protobuf-es gives it, and is read from them alike", () => {
    fc.assert(
      fc.property(topicEvent, (event) => {
        const bytes = toBinary(TopicEventRequestSchema, create(TopicEventRequestSchema, event));
        expect(hex(encodeTopicEvent(event))).toBe(hex(bytes));
        expect(verdict(() => decodeTopicEvent(bytes), TOPIC)).toEqual(verdict(() => fromBinary(TopicEventRequestSchema, bytes), TOPIC));
      }),
      { numRuns: numRuns / 4 },
    );
  });

  test("two in a row are one, in which the last of each field counts", () => {
    fc.assert(
      fc.property(topicEvent, topicEvent, (first, second) => {
        const bytes = Buffer.concat([encodeTopicEvent(first), encodeTopicEvent(second)]);
        expect(verdict(() => decodeTopicEvent(bytes), TOPIC)).toEqual(verdict(() => fromBinary(TopicEventRequestSchema, bytes), TOPIC));
      }),
      { numRuns: numRuns / 10 },
    );
  });

  test("is or is not one for both", () => {
    fc.assert(
      fc.property(wire, (bytes) => {
        expect(verdict(() => decodeTopicEvent(bytes), TOPIC)).toEqual(verdict(() => fromBinary(TopicEventRequestSchema, bytes), TOPIC));
      }),
      { numRuns },
    );
  });
});

describe("TopicEventResponse", () => {
  test.each([0, 1, 2] as const)("has the bytes that protobuf-es gives status %d", (status) => {
    expect(hex(encodeTopicEventStatus(status))).toBe(hex(toBinary(TopicEventResponseSchema, create(TopicEventResponseSchema, { status }))));
  });

  test("is or is not one for both", () => {
    const answer = fc.oneof(
      wire,
      fc.integer().map((status) => toBinary(TopicEventResponseSchema, create(TopicEventResponseSchema, { status: status as EventStatus }))),
    );
    fc.assert(
      fc.property(answer, (bytes) => {
        const ours = verdict(() => ({ status: decodeTopicEventStatus(bytes) }), ["status"]);
        expect(ours).toEqual(verdict(() => fromBinary(TopicEventResponseSchema, bytes), ["status"]));
      }),
      { numRuns },
    );
  });
});

test("the bytes that are made up are messages often enough, and often enough not", () => {
  const made = fc.sample(wire, { numRuns: 1000, seed: 1 });
  const good = made.filter((bytes) => verdict(() => fromBinary(TopicEventRequestSchema, bytes), TOPIC) !== undefined).length;
  expect(good).toBeGreaterThan(200);
  expect(good).toBeLessThan(800);
});

test("plain objects are compared with their own __proto__", () => {
  expect(plain(JSON.parse('{"__proto__":"x"}'))).not.toEqual(plain({}));
});
