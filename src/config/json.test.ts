import fc from "fast-check";
import { expect, test } from "vitest";
import { parseDocuments } from "./document.ts";
import { parseJson } from "./json.ts";

/** JSON as people and programs write it: on one line or on many, by Windows or not. */
const written = fc
  .tuple(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 2, "\t"), fc.boolean())
  .map(([value, space, windows]) => JSON.stringify(value, undefined, space).replaceAll("\n", windows ? "\r\n" : "\n"));

test("JSON is the same tree, node by node and place by place, whichever way it is read", () => {
  fc.assert(
    fc.property(written, (text) => {
      const { trees, problems } = parseDocuments(text, "a.json");
      // YAML knows texts that JSON has and it has not, such as a tab between a key and its value.
      fc.pre(problems.length === 0);
      expect([parseJson(text, "a.json")]).toEqual(trees);
    }),
    { numRuns: 1_000 },
  );
});

test("values are read as they stand", () => {
  const text =
    String.raw`{ "a": [0, -0, 1e3, 91234567890123456789e0, 12345678901234567890, true, null, "\u00e9\ud83d\ude00\\\"\/"], "": {}, "n": "a: #b" }`.replace(
      "0123",
      "9123",
    );
  expect([parseJson(text, "a.json")]).toEqual(parseDocuments(text, "a.json").trees);
});

test.each([
  ["a fault", '{"a": 1,}'],
  ["nothing", ""],
  ["YAML", "a: 1"],
  ["a comment", '{"a": 1} // one'],
  ["a key twice", '{"a": 1, "b": {"c": 1, "c": 2}}'],
  ["a key twice in different words", '{"a": 1, "\\u0061": 2}'],
  ["too many levels", "[".repeat(60) + "]".repeat(60)],
  ["a depth that no stack has", "[".repeat(1_000_000) + "]".repeat(1_000_000)],
  ["too many values", `[${"1,".repeat(100_001)}1]`],
])("%s is left to the other reader", (_, text) => {
  expect(parseJson(text, "a.json")).toBeUndefined();
});
