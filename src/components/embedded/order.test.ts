import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Bench, textOf } from "../../conformance/bench.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { definition } from "./index.ts";

let dataDir = "";
let bench: Bench;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "embedded-order-"));
  const context = { name: "test", appId: "app1", process: "host:1", dataDir, clock: systemClock };
  const open = (): Promise<PubSub> => Promise.resolve(definition.open(definition.options.parse({}), context));
  bench = new Bench({ name: definition.type, capabilities: definition.capabilities, leaseMs: 100, gaps: [], open });
});
afterEach(async () => {
  await bench.closeAll();
  rmSync(dataDir, { recursive: true });
});

const HOUR_MS = 3_600_000;

test.each([
  ["the next reader", (pubsub: PubSub) => Promise.resolve(pubsub)],
  [
    "the reader after a restart",
    async (pubsub: PubSub) => {
      await bench.close(pubsub);
      return bench.open();
    },
  ],
])("a retry that was put off without order keeps its place for %s, who is told when it is due", async (_, next) => {
  const pubsub = await bench.open();
  const before = await bench.read(pubsub, { messages: 2 });
  await bench.publish(pubsub, { data: "1", key: "k" }, "free", { data: "2", key: "k" }, { data: "3", key: "k" });
  for (const delivery of await before.sink.next(2)) delivery.retry?.(HOUR_MS, 1);
  before.subscription.window(0, 0);
  await bench.leave(before);
  const reading = await bench.read(await next(pubsub), { order: "key" });
  const lent = await reading.sink.next(3);
  expect(lent.map((one) => [textOf(one), one.failures])).toEqual([
    ["1", 1],
    ["2", 0],
    ["3", 0],
  ]);
  expect(lent.map(({ notBefore = 0 }) => notBefore > Date.now())).toEqual([true, false, false]);
});

test("what has a place to keep cannot be put off", async () => {
  const pubsub = await bench.open();
  await bench.publish(pubsub, { data: "1", key: "k" }, "free");
  const byKey = await bench.read(pubsub, { group: "byKey", order: "key" });
  expect((await byKey.sink.next(2)).map(({ retry }) => retry !== undefined)).toEqual([false, true]);
  const byTopic = await bench.read(pubsub, { group: "byTopic", order: "topic" });
  expect((await byTopic.sink.next(2)).map(({ retry }) => retry !== undefined)).toEqual([false, false]);
});

test("readers with and without order keep each other out of a group", async () => {
  const pubsub = await bench.open();
  const refusal = { code: "failed_precondition", permanent: false };
  const unordered = await bench.read(pubsub);
  await expect(bench.read(pubsub, { order: "key" })).rejects.toMatchObject(refusal);
  await bench.leave(unordered);
  await bench.read(pubsub, { order: "key" });
  await expect(bench.read(pubsub)).rejects.toMatchObject(refusal);
  await bench.read(pubsub, { order: "topic" });
});
