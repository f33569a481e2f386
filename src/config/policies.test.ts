import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "./load.ts";

async function settings(text: string) {
  const cwd = mkdtempSync(join(tmpdir(), "config-"));
  try {
    writeFileSync(join(cwd, "a.yaml"), text);
    return (await loadConfig({ file: "a.yaml", env: {}, cwd, embedded: false, isTerminal: false, overrides: {} })).settings;
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

test("without any configuration a publish is tried again until it times out, a delivery without end or ten times, and nothing else limits them", async () => {
  const { publish, delivery, pubsubs } = await settings("pubsubs: { p: { type: in-memory } }");
  expect(publish).toEqual({
    timeoutMs: 5_000,
    duplicates: "allow",
    retry: { firstMs: 50, mostMs: 1_000, factor: 2, maxFailures: Number.POSITIVE_INFINITY, permanent: [] },
  });
  expect(delivery).toEqual({
    maxInFlight: 64,
    maxPending: 1_000,
    maxPendingBytes: 16 * 2 ** 20,
    processingTimeoutMs: 900_000,
    retry: { firstMs: 1_000, mostMs: 60_000, factor: 2, maxFailures: 10, permanent: [] },
  });
  expect(Object.hasOwn(pubsubs.get("p") ?? {}, "publish")).toBe(false);
});

test("the policies of publishes, for all and for one component, in the words of the engine", async () => {
  const { publish, pubsubs } = await settings(`
publish:
  timeout: 2s
  duplicates: refuse
  retry: { first: 10ms, most: 20ms, factor: 1, maxFailures: 3, permanent: [resource_exhausted] }
  breaker: { failures: 5 }
  rate: "100"
pubsubs:
  p: { type: in-memory, publish: { timeout: 1m, retry: { maxFailures: 7 }, breaker: { failures: 1, pause: 1s } } }
  q: { type: in-memory, publish: { rate: 7, duplicates: allow, retry: { permanent: [] } } }
`);
  expect(publish).toEqual({
    timeoutMs: 2_000,
    duplicates: "refuse",
    retry: { firstMs: 10, mostMs: 20, factor: 1, maxFailures: 3, permanent: ["RESOURCE_EXHAUSTED"] },
    breaker: { failures: 5, pauseMs: 30_000 },
    rate: 100,
  });
  expect(pubsubs.get("p")?.publish).toStrictEqual({
    timeoutMs: 60_000,
    retry: { maxFailures: 7 },
    breaker: { failures: 1, pauseMs: 1_000 },
  });
  expect(pubsubs.get("q")?.publish).toStrictEqual({ rate: 7, duplicates: "allow", retry: { permanent: [] } });
});

test("the policies of one subscription, in the words of the engine", async () => {
  const { subscriptions } = await settings(`
pubsubs: { p: { type: in-memory } }
subscriptions:
  - { pubsub: p, topic: t, retry: { first: 5s, factor: 3, permanent: [ABORTED] }, breaker: { failures: 2 }, rate: 9, processingTimeout: 1s }
  - { pubsub: p, topic: u }
`);
  expect(subscriptions.map(({ policy }) => policy)).toStrictEqual([
    {
      retry: { firstMs: 5_000, factor: 3, permanent: ["ABORTED"] },
      breaker: { failures: 2, pauseMs: 30_000 },
      rate: 9,
      processingTimeoutMs: 1_000,
    },
    {},
  ]);
});
