import { expect, test } from "vitest";
import { reasonOf } from "./reason.ts";

test("a dial of several addresses says what became of each", () => {
  expect(reasonOf(new AggregateError([new Error("a"), new Error("b")]))).toBe("a, b");
  expect(reasonOf(new Error("a"))).toBe("a");
});
