import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fitsGroup, fromProperties, namedBy, toProperties } from "./attributes.ts";

const texts = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "",
    "TAGS",
    "__SHARDINGKEY",
    "rocketmq-tag",
    "rocketmq-key",
    "layotto.rocketmq.key",
    "a|b",
    "a b",
    "é",
    "\u0001",
    "\u0085",
  ),
);

test("whatever the attributes and the key are, they come back, and no property has what a proxy refuses", () => {
  fc.assert(
    fc.property(
      fc.dictionary(texts, texts),
      fc.option(texts, { nil: undefined }),
      fc.boolean(),
      fc.boolean(),
      (attributes, key, ordered, empty) => {
        const named = namedBy(attributes);
        const group = !ordered
          ? undefined
          : key !== undefined && fitsGroup(key)
            ? key
            : createHash("sha1").update(String(key)).digest("hex");
        const properties = toProperties(key === undefined ? { attributes } : { attributes, key }, group, empty, named);
        for (const [name, value] of Object.entries(properties)) {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a proxy refuses.
          expect(name + value).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
          expect(name).not.toBe("");
          expect(value).not.toBe("");
        }
        const back = fromProperties(properties, group, named);
        expect({ ...back.attributes }).toEqual({ ...attributes });
        expect([back.key, back.empty]).toEqual([key, empty]);
      },
    ),
  );
});

test("a tag that RocketMQ can filter by is one, and keys that it can look up by are some", () => {
  expect(namedBy({ "rocketmq-tag": "a", "rocketmq-key": "k1,k2" })).toEqual({ tag: "a", keys: ["k1", "k2"] });
  for (const tag of ["", " ", "a|b", "a\u0001"]) expect(namedBy({ "rocketmq-tag": tag })).toEqual({ keys: [] });
  for (const keys of ["", "a b", "a,,b", ","]) expect(namedBy({ "rocketmq-key": keys })).toEqual({ keys: [] });
});

test("what the broker keeps for itself among a foreign message's properties is not shown, and everything else is", () => {
  const { attributes, key } = fromProperties({ __SHARDINGKEY: "g", A: "1", "": "2" }, "g", { tag: "t", keys: ["k"] });
  expect([{ ...attributes }, key]).toEqual([{ A: "1", "": "2", "rocketmq-tag": "t", "rocketmq-key": "k" }, "g"]);
});

test.each([
  ["layotto.rocketmq.attributes", "x"],
  ["layotto.rocketmq.attributes", "5"],
  ["layotto.rocketmq.attributes", "null"],
  ["layotto.rocketmq.attributes", '{"a":"b"}'],
  ["layotto.rocketmq.attributes", '["ab"]'],
  ["layotto.rocketmq.attributes", '[["a",1]]'],
  ["layotto.rocketmq.attributes", '[["a","b","c"]]'],
  ["layotto.rocketmq.key", "nope"],
  ["layotto.rocketmq.key", "5"],
])("a foreign %s that is not as ours is, %s, is an attribute like any other", (name, value) => {
  const { attributes, key } = fromProperties({ a: "1", [name]: value }, "g", { keys: [] });
  expect([{ ...attributes }, key]).toEqual([{ a: "1", [name]: value }, "g"]);
});
