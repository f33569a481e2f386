import fc from "fast-check";
import { expect, test } from "vitest";
import { ATTRIBUTE, attributesOf, decode, deduplication, type Encoded, encode, messageGroup } from "./entry.ts";

const done = () => undefined;
const encoded = (data: Uint8Array, more: { attributes?: Record<string, string>; key?: string; dedupId?: string } = {}): Encoded =>
  encode({ topic: "t", data, attributes: {}, done, ...more }, "p-1", undefined);
const received = (one: Encoded) => decode({ MessageId: "m", Body: one.body, MessageAttributes: attributesOf(one) }, true);
/** What SQS takes in a body or an attribute. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about.
const XML = /^[\u0009\u000a\u000d\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]+$/u;

test("any bytes, attributes and key come back, and AWS would take what travels", { timeout: 60_000 }, () => {
  const text = fc.string({ unit: "binary", maxLength: 12 });
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    text.map((one) => Buffer.from(one)),
  );
  fc.assert(
    fc.property(bytes, fc.dictionary(text, text, { maxKeys: 4 }), fc.option(text, { nil: undefined }), (data, attributes, key) => {
      const one = encoded(data, { attributes, ...(key !== undefined && { key }) });
      expect(one.body).toMatch(XML);
      expect(one.attribute).toMatch(XML);
      const back = received(one);
      expect(Buffer.compare(back.data, data)).toBe(0);
      expect({ ...back.attributes }).toEqual({ ...attributes });
      expect(back.key).toBe(key);
      expect(back.position).toBe("p-1");
    }),
  );
});

test("text travels as text, and only what text cannot carry as base64", () => {
  expect(encoded(Buffer.from('{"a":"雪"}\r\n')).body).toBe('{"a":"雪"}\r\n');
  expect(encoded(Buffer.from("a\u0000")).body).toBe("YQA=");
  expect(encoded(Buffer.from("a\uffff")).body).not.toContain("\uffff");
  expect(encoded(Buffer.from([0xff])).body).toBe("/w==");
});

test("the size is what AWS counts: body, name, type and value", () => {
  const one = encoded(Buffer.from("雪"), { attributes: { a: "雪" } });
  expect(one.size).toBe(3 + "layotto".length + "String".length + Buffer.byteLength(one.attribute));
});

test("eleven attributes are one", () => {
  const attributes = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`name${index}`, "v"]));
  expect(Object.keys(attributesOf(encoded(Buffer.from("a"), { attributes })))).toEqual([ATTRIBUTE]);
});

test("what another program sent is handed on: its attributes, and its message group as the key", () => {
  const foreign = {
    MessageId: "m",
    Body: "hello",
    Attributes: { MessageGroupId: "g" },
    MessageAttributes: { one: { StringValue: "1" }, two: { BinaryValue: Buffer.from("2") }, layotto: { StringValue: "not ours" } },
  };
  const { data, ...more } = decode(foreign, true);
  expect(Buffer.from(data).toString()).toBe("hello");
  expect(more).toMatchObject({ position: "m", key: "g", attributes: { one: "1", two: "Mg==", layotto: "not ours" } });
});

test("a notification is unwrapped where delivery is not raw, and only there", () => {
  const one = encoded(Buffer.from("a"), { attributes: { mykey: "v" } });
  const body = { Type: "Notification", Message: one.body, MessageAttributes: { layotto: { Type: "String", Value: one.attribute } } };
  const notification = { MessageId: "m", Body: JSON.stringify(body) };
  expect(decode(notification, false)).toMatchObject({ position: "p-1", attributes: { mykey: "v" } });
  expect(Buffer.from(decode(notification, false).data).toString()).toBe("a");
  expect(Buffer.from(decode(notification, true).data).toString()).toBe(notification.Body);
  expect(Buffer.from(decode({ MessageId: "m", Body: "no JSON" }, false).data).toString()).toBe("no JSON");
});

test.each([null, 1, "x", [1], { a: null }, { a: 1 }, { a: {} }, { a: { Value: 1 } }])(
  "what only looks like a notification is a body: %j",
  (given) => {
    const body = JSON.stringify({ Type: "Notification", Message: "x", MessageAttributes: given });
    const { data } = decode({ MessageId: "m", Body: body }, false);
    expect(Buffer.from(data).toString()).toBe(given === null ? "x" : body);
  },
);

test("a message of ours is never unwrapped, whatever its body looks like: a redrive moves it to a queue as it is", () => {
  const payload = JSON.stringify({ Type: "Notification", Message: "x" });
  const one = encoded(Buffer.from(payload), { key: "k", attributes: { mykey: "v" } });
  const received = { MessageId: "m", Body: one.body, MessageAttributes: { [ATTRIBUTE]: { StringValue: one.attribute } } };
  const { data, ...more } = decode(received, false);
  expect(Buffer.from(data).toString()).toBe(payload);
  expect(more).toMatchObject({ position: one.position, key: "k", attributes: { mykey: "v" } });
});

test("the message group is the key, or a hash of one that AWS does not take; without a key each message is its own", () => {
  expect(messageGroup(encoded(Buffer.from("a"), { key: "k/1" }))).toBe("k/1");
  expect(messageGroup(encoded(Buffer.from("a"), { key: "ключ" }))).toMatch(/^[0-9a-f]{64}$/);
  expect(messageGroup(encoded(Buffer.from("a"), { key: "" }))).toMatch(/^[0-9a-f]{64}$/);
  expect(messageGroup(encoded(Buffer.from("a")))).toBe("p-1");
  expect(messageGroup(encoded(Buffer.from("a"), { dedupId: "dl:g:t:p" }))).toBe("dl:g:t:p");
});

test("the de-duplication id is the publisher's wish, else the message's own", () => {
  expect(deduplication(encoded(Buffer.from("a"), { attributes: { id: "event" } }))).toBe("p-1");
  expect(deduplication(encoded(Buffer.from("a"), { dedupId: "dl:g:t:p" }))).toBe("dl:g:t:p");
  expect(deduplication(encoded(Buffer.from("a"), { dedupId: "x".repeat(200) }))).toMatch(/^[0-9a-f]{64}$/);
});
