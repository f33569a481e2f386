import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expiresAt, ttlMs } from "./expiry.ts";
import { openOwn } from "./own-envelope.ts";
import { unwrap, unwrapAny } from "./unwrap.ts";
import { type Wrapping, wrap } from "./wrap.ts";

const base = { id: "id1", topic: "topic1", pubsub: "redis", contentType: "", data: Buffer.from("value1") };
const wrapped = (change: Partial<Wrapping>) => wrap({ ...base, ...change });
const there = (change: Partial<Wrapping>) => unwrap(wrapped(change));

test("text is wrapped as Layotto wraps it", () => {
  expect(JSON.parse(wrapped({}).toString())).toEqual({
    id: "id1",
    specversion: "1.0",
    source: "runtime",
    type: "com.runtime.event.sent",
    datacontenttype: "text/plain",
    topic: "topic1",
    pubsubname: "redis",
    traceid: "",
    data: "value1",
  });
});

test.each(["12345678901234567890", "1.10", '{"a":12345678901234567890,"b":1.10}', '{"a" : [1, {"b":"}\\""}]}', '"text"', "null", "true"])(
  "the JSON text %s arrives as it was sent",
  (json) => {
    const envelope = wrapped({ contentType: "application/json; charset=utf-8", data: Buffer.from(json) });
    expect(envelope.toString()).toContain(`"data":${json}}`);
    expect(Buffer.from(unwrap(envelope)?.data ?? []).toString()).toBe(json);
  },
);

test.each(["", " 1 ", "not json", '{"a":1', "\ufeff{}"])("%j, sent as JSON, arrives as it was sent", (text) => {
  const event = there({ contentType: "application/json", data: Buffer.from(text) });
  expect(Buffer.from(event?.data ?? [1]).toString()).toBe(text);
  expect(event?.contentType).toBe("application/json");
});

test.each(["text/plain", "application/json", "application/octet-stream", "application/protobuf", "image/png", "application/xml"])(
  "every byte value arrives under %s",
  (contentType) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
        expect(Buffer.from(there({ contentType, data })?.data ?? [])).toEqual(Buffer.from(data));
      }),
    );
  },
);

test("any JSON value, printed in any way, arrives as the text that was sent", () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(4), (json, indent) => {
      const text = JSON.stringify(JSON.parse(json), null, indent);
      const event = there({ contentType: "application/json", data: Buffer.from(text) });
      expect(Buffer.from(event?.data ?? []).toString()).toBe(text);
    }),
  );
});

describe("a publisher's own CloudEvent", () => {
  const own = (json: string) => wrapped({ contentType: "application/cloudevents+json", data: Buffer.from(json) });

  test("keeps its members as text and gets the ones of this publish", () => {
    const sent = '{"id":"1","source":"s","type":"t","specversion":"1.0","data": {"x":1.10},"extra":1e0,"topic":"other"}';
    const text = own(sent).toString();
    expect(text).toContain('"data":{"x":1.10}');
    expect(text).toContain('"extra":1e0');
    expect(JSON.parse(text)).toMatchObject({ id: "1", source: "s", type: "t", topic: "topic1", pubsubname: "redis", traceid: "" });
  });

  test("gets the id and the content type that Go Layotto needs, and its defaults", () => {
    expect(JSON.parse(own('{"data":1}').toString())).toMatchObject({
      id: "id1",
      source: "Dapr",
      type: "com.dapr.event.sent",
      specversion: "1.0",
      datacontenttype: "application/json",
    });
  });

  test.each(["[]", "1", "", "{", "null"])("%j is refused", (json) => {
    expect(() => own(json)).toThrow(SyntaxError);
  });

  test("keeps its own expiration unless the publish has one", () => {
    const event = '{"expiration":"2026-11-23T07:02:43Z"}';
    expect(JSON.parse(own(event).toString()).expiration).toBe("2026-11-23T07:02:43Z");
    const both = wrapped({ contentType: "application/cloudevents+json", data: Buffer.from(event), expiresAt: 0 });
    expect(JSON.parse(both.toString()).expiration).toBe("1970-01-01T00:00:00.000Z");
  });
});

test.each(['{"hello":1}', "not json", "", "[]", "null", '{"specversion":"9"}', '{"specversion":"1.0","data_base64":"*"}', "\xff"])(
  "%j is no CloudEvent",
  (text) => {
    expect(unwrap(Buffer.from(text, "latin1"))).toBeUndefined();
  },
);

test("an envelope without the members that Go Layotto panics on is read all the same", () => {
  expect(unwrap(Buffer.from('{"specversion":"1.0","data":"x"}'))).toMatchObject({ id: "", source: "", type: "", raw: false });
});

test("what expires says when", () => {
  expect(there({ expiresAt: 1_700_000_000_123 })?.expiresAt).toBe(1_700_000_000_123);
  expect(expiresAt("2026-11-23T07:02:43Z")).toBe(Date.UTC(2026, 10, 23, 7, 2, 43));
  expect([expiresAt("soon"), expiresAt(5), expiresAt(undefined)]).toEqual([undefined, undefined, undefined]);
});

test("ttlInSeconds is a whole number above zero", () => {
  expect([ttlMs({}), ttlMs({ ttlInSeconds: "60" })]).toEqual([undefined, 60_000]);
  expect(() => ttlMs({ ttlInSeconds: "1.5" })).toThrow("ttlInSeconds value must be a valid integer: actual is '1.5'");
  expect(() => ttlMs({ ttlInSeconds: "0" })).toThrow("ttlInSeconds value must be higher than zero: actual is 0");
});

test("what is opened without a parser is what the parser finds, and most texts are", () => {
  const texts = fc.oneof(fc.string({ unit: "grapheme" }), fc.string(), fc.constantFrom("plain", "ünï", 'a"b', "a\\b", "a\nb", ""));
  const types = fc.constantFrom("", "text/plain", "text/html; charset=utf-8", "application/json", "application/octet-stream");
  const damage = fc.option(fc.tuple(fc.nat(400), fc.nat(255)), { freq: 1 });
  let opened = 0;
  fc.assert(
    fc.property(texts, types, texts, damage, fc.uuid(), (data, contentType, topic, change, id) => {
      const bytes = wrapped({ data: Buffer.from(data), contentType, topic, id });
      expect(JSON.parse(bytes.toString())).toMatchObject({ id, topic, pubsubname: base.pubsub, specversion: "1.0", traceid: "" });
      if (change !== null) bytes[change[0] % bytes.length] = change[1];
      const own = openOwn(bytes);
      if (own === undefined) return;
      opened += 1;
      expect({ ...own, data: Buffer.from(own.data) }).toEqual({ ...unwrapAny(bytes), data: Buffer.from(own.data) });
      expect(Buffer.from(unwrapAny(bytes)?.data ?? [1])).toEqual(Buffer.from(own.data));
    }),
    { numRuns: 2_000 },
  );
  expect(opened).toBeGreaterThan(100);
});
