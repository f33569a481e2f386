import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { TopicEventRequestSchema } from "../gen/spec/proto/runtime/v1/appcallback_pb.ts";
import { decodePublishEvent, encodePublishEvent, type PublishEvent, WireError } from "./publish-event.ts";
import { decodeTopicEvent, encodeTopicEvent, encodeTopicEventStatus, type TopicEvent } from "./topic-event.ts";

const EMPTY = { pubsubName: "", topic: "", data: new Uint8Array(), dataContentType: "", metadata: {} };
const groups = (depth: number) => Uint8Array.from([...new Array(depth).fill(0x7b), ...new Array(depth).fill(0x7c)]);

describe("malformed", () => {
  test.each<[name: string, bytes: number[], message: string]>([
    ["a field that is cut short", [0x0a, 0x05, 0x61], "the message is cut short"],
    ["a length without an end", [0x0a, 0x80], "the message is cut short"],
    ["a length of four gigabytes", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], "the message is cut short"],
    ["a map entry that is cut short", [0x2a, 0x04, 0x0a, 0x01, 0x61], "the message is cut short"],
    ["an unknown fixed64 that is cut short", [0x79, 0, 0, 0, 0, 0, 0, 0], "the message is cut short"],
    ["field number 0", [0x02, 0x00], "there is no field 0 of wire type 2"],
    ["wire type 6", [0x0e], "there is no field 1 of wire type 6"],
    ["a field number beyond 32 bits", [0xff, 0xff, 0xff, 0xff, 0x1f, 0x00], "a field's number is too large"],
    ["a tag of six bytes", [0x8a, 0x80, 0x80, 0x80, 0x80, 0x00, 0x00], "a field's number is too large"],
    ["a length of eleven bytes", [0x0a, ...new Array(10).fill(0x80), 0x00], "a number has more than ten bytes"],
    ["an end without a group", [0x7c], "a group ends that did not begin, field 15"],
    ["a group with another's end", [0x7b, 0x74], "the group of field 15 ends as that of field 14"],
    ["a group without an end", [0x7b], "the message is cut short"],
    ["a string that is not UTF-8", [0x0a, 0x01, 0xff], "a string is not UTF-8"],
    ["a surrogate in UTF-8", [0x0a, 0x03, 0xed, 0xa0, 0x80], "a string is not UTF-8"],
  ])("%s", (_, bytes, message) => {
    expect(() => decodePublishEvent(Uint8Array.from(bytes))).toThrow(new WireError(message));
  });

  test("groups nest as deep as protobuf-es lets them", () => {
    expect(decodeTopicEvent(groups(99)).id).toBe("");
    expect(fromBinary(TopicEventRequestSchema, groups(99)).id).toBe("");
    expect(() => decodeTopicEvent(groups(100))).toThrow(new WireError("groups are nested too deep"));
    expect(() => fromBinary(TopicEventRequestSchema, groups(100))).toThrow();
  });

  test("and as deep in a map entry", () => {
    const within = (depth: number) => Uint8Array.from([0x52, 0x80 | ((depth * 2) & 0x7f), (depth * 2) >> 7, ...groups(depth)]);
    expect(decodeTopicEvent(within(99)).metadata).toEqual({ "": "" });
    expect(fromBinary(TopicEventRequestSchema, within(99)).metadata).toEqual({ "": "" });
    expect(() => decodeTopicEvent(within(100))).toThrow(new WireError("groups are nested too deep"));
    expect(() => fromBinary(TopicEventRequestSchema, within(100))).toThrow();
  });
});

describe("strings", () => {
  test("what looks like another string byte by byte is not taken for it", () => {
    // As many pairs as it takes for some to be remembered in the same place.
    for (let index = 9000; index < 11_000; index++) {
      const topic = `${index}€`;
      const lookalike = Buffer.from(topic).toString("latin1");
      for (const each of [lookalike, topic]) expect(decodePublishEvent(encodePublishEvent({ ...EMPTY, topic: each })).topic).toBe(each);
    }
  });

  test("a byte-order mark and U+FFFD are text", () => {
    expect(decodePublishEvent(encodePublishEvent({ ...EMPTY, topic: "\ufeffa\ufffd" })).topic).toBe("\ufeffa\ufffd");
  });
});

test("a __proto__ of metadata is an entry like any other", () => {
  const { metadata } = decodePublishEvent(encodePublishEvent({ ...EMPTY, metadata: JSON.parse('{"__proto__":"x"}') }));
  expect(Object.entries(metadata)).toEqual([["__proto__", "x"]]);
  expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
});

test("data is a view on what was decoded", () => {
  const bytes = encodePublishEvent({ ...EMPTY, data: Uint8Array.of(1, 2, 3) });
  const { data } = decodePublishEvent(bytes);
  bytes[bytes.length - 1] = 9;
  expect([...data]).toEqual([1, 2, 9]);
});

describe("memory", () => {
  const event = (size: number, headroom = 0): [bytes: Uint8Array, expected: Uint8Array] => {
    const message = { ...EMPTY, topic: `t${size}`, data: new Uint8Array(size).fill(size) };
    const bytes = encodePublishEvent(message, headroom);
    return [bytes, bytes.slice()];
  };

  test("no message is written over by a later one", () => {
    const sizes = [10, 300, 7000, 9000, 65_000, 66_000, 200, 1, 8191, 8192, 8193, 30_000];
    const made = Array.from({ length: 200 }, (_, index) => event(sizes[index % sizes.length] as number, index % 7));
    for (const [bytes, expected] of made) expect(Buffer.compare(bytes, expected)).toBe(0);
  });

  test("nor by one that is encoded in the middle of it, and a getter that throws does no harm", () => {
    let inner: Uint8Array = new Uint8Array();
    const outer = encodePublishEvent({
      ...EMPTY,
      pubsubName: "outer",
      get topic() {
        inner = encodePublishEvent({ ...EMPTY, pubsubName: "inner", topic: "within" });
        return "around";
      },
    });
    const failing = () =>
      encodePublishEvent({
        ...EMPTY,
        get topic(): string {
          throw new Error("no topic");
        },
      });
    expect(failing).toThrow("no topic");
    encodePublishEvent({ ...EMPTY, pubsubName: "after" });
    expect(decodePublishEvent(outer)).toMatchObject({ pubsubName: "outer", topic: "around" });
    expect(decodePublishEvent(inner)).toMatchObject({ pubsubName: "inner", topic: "within" });
  });

  test("text that takes three bytes a character fits, wherever it falls", () => {
    for (let length = 900; length < 1100; length++) {
      const topic = "€".repeat(length);
      expect(decodePublishEvent(encodePublishEvent({ ...EMPTY, topic })).topic).toBe(topic);
    }
  });

  test("headroom comes before the message", () => {
    const topicEvent: TopicEvent = { ...EMPTY, id: "1", source: "", type: "", specVersion: "1.0", data: new Uint8Array(100_000) };
    for (const message of [topicEvent, { ...topicEvent, data: new Uint8Array(3) }]) {
      expect(Buffer.compare(encodeTopicEvent(message, 5).subarray(5), encodeTopicEvent(message))).toBe(0);
    }
  });

  test("a status is its own", () => {
    encodeTopicEventStatus(1).fill(0);
    expect([...encodeTopicEventStatus(1)]).toEqual([8, 1]);
  });
});

test("what plain JavaScript leaves out or passes as a number is written as protobuf-es does", () => {
  const event = { ...EMPTY, topic: undefined, metadata: { ttlInSeconds: 5 } } as unknown as PublishEvent;
  expect(decodePublishEvent(encodePublishEvent(event))).toMatchObject({ topic: "", metadata: { ttlInSeconds: "5" } });
});
