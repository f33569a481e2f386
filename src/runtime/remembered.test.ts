import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Remembered } from "./remembered.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "remembered-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const orders = { pubsub: "redis", topic: "orders", metadata: { rawPayload: "true" } };
const stock = { pubsub: "redis", topic: "stock", metadata: {} };

test("what was added and not removed is there at the next start, each app for itself", () => {
  const first = new Remembered(join(dir, "not/made/yet"), "app/1");
  expect(first.load()).toEqual([]);
  first.add(orders);
  first.add(stock);
  first.remove(stock);
  expect(new Remembered(join(dir, "not/made/yet"), "app/1").load()).toEqual([orders]);
  expect(new Remembered(join(dir, "not/made/yet"), "app2").load()).toEqual([]);
});

test("a file that cannot be read is an error, not an empty memory", () => {
  writeFileSync(join(dir, "subscriptions-app1.json"), "{}");
  expect(() => new Remembered(dir, "app1").load()).toThrow("expected array");
});
