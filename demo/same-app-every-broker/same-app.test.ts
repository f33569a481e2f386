import { describe, expect, test } from "vitest";
import { BROKERS } from "../../test/faults/brokers/index.ts";
import { onBroker } from "./on-broker.ts";

const PLAYED_MS = 180_000;

describe("the quick start's programs, by changing the configuration alone", () => {
  for (const broker of BROKERS) {
    const missing = broker.unavailable();
    test(broker.name, { timeout: PLAYED_MS }, async ({ skip }) => {
      skip(missing !== undefined, missing);
      const server = await broker.start();
      try {
        const expected = { published: 60, delivered: 60, inOrder: true, retried: 2, deadLettered: 1, problems: [] };
        expect(await onBroker(server.component(server.process?.port ?? 0))).toEqual(expected);
      } finally {
        await server.stop();
      }
    });
  }
});
