import fc from "fast-check";
import { expect, test } from "vitest";
import { FieldSection } from "../http2/field-section.ts";
import { decodeStatusMessage, encodeStatusMessage } from "./status-message.ts";

test("any text comes back as it was, by way of printable ASCII", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const encoded = encodeStatusMessage(text);
      expect(encoded).toMatch(/^[\x20-\x7e]*$/);
      expect(decodeStatusMessage(encoded)).toBe(text.toWellFormed());
    }),
  );
});

test.for([
  ["plain", "plain"],
  ["100%", "100%25"],
  ["a\tb\r\n", "a%09b%0D%0A"],
  ["ü ☺ 😈", "%C3%BC %E2%98%BA %F0%9F%98%88"],
  ["\x7f", "%7F"],
  ["no such order: ", "no such order:%20"],
  [" a b", "%20a b"],
  [" ", "%20"],
] as const)("%j", ([text, encoded]) => {
  expect(encodeStatusMessage(text)).toBe(encoded);
});

test("what was damaged on the way is shown as far as it can be", () => {
  expect(decodeStatusMessage("50% of %zz and %4")).toBe("50% of %zz and %4");
  expect(decodeStatusMessage("%c3%bc and %")).toBe("ü and %");
  fc.assert(fc.property(fc.string({ unit: "binary-ascii" }), (text) => typeof decodeStatusMessage(text) === "string"));
});

test("a blank at the end, as grpc-go sends it, breaks no rule; in other fields it does, and so does a line's end", () => {
  const fault = (name: string, value: string) => new FieldSection(["grpc-status", "5", name, value], false).trailersFault;
  expect(fault("grpc-message", "no such order: ")).toBeUndefined();
  expect(fault("grpc-message", "a\n")).toMatch(/grpc-message/);
  expect(fault("mykey", "a ")).toMatch(/mykey/);
});
