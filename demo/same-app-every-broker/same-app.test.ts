import { describe, expect, test } from "vitest";
import { BROKERS } from "../../test/faults/brokers/index.ts";
import { Stage } from "../../test/faults/stage.ts";
import { onBroker } from "./on-broker.ts";

const PLAYED_MS = 180_000;

describe("the quick start's programs, by changing the configuration alone", () => {
  // Standard queues keep no order; their FIFO kin do.
  for (const broker of BROKERS.filter(({ gaps }) => gaps.ordered === undefined)) {
    const missing = broker.unavailable();
    test(broker.name, { timeout: PLAYED_MS }, async ({ skip }) => {
      skip(missing !== undefined, missing);
      const stage = await Stage.open(broker);
      try {
        const expected = { published: 60, delivered: 60, inOrder: true, retried: 2, deadLettered: 1, problems: [] };
        expect(await onBroker(stage.server.component(stage.port))).toEqual(expected);
      } finally {
        await stage.close();
      }
    });
  }
});
