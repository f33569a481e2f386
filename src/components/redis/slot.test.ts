import { expect, test } from "vitest";
import { keyBeside, slotOf } from "./slot.ts";

test.each([
  ["orders", "{orders}:layotto:lead:g"],
  ["{tenant1}orders", "{tenant1}orders:layotto:lead:g"],
])("a key beside %s is %s", (topic, expected) => {
  expect(keyBeside(topic, "lead:g")).toBe(expected);
});

test.each(["orders", "a{b}c", "a}b", "a{}", "{", "}", "", "ä{ö}{ü}"])("a key beside %j is in its slot", (topic) => {
  expect(slotOf(keyBeside(topic, "lead:g"))).toBe(slotOf(topic));
});
