import { afterAll, beforeAll, describe, test } from "vitest";
import type { Broker } from "./broker.ts";
import { play } from "./play.ts";
import { gap } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import { Stage } from "./stage.ts";

const SCENARIO_MS = 120_000;
/** Toxiproxy is built the first time. */
const OPEN_MS = 600_000;

/** The quick scenarios that the broker has no gap for, as tests that share one server of it. */
export function testOn(broker: Broker): void {
  const missing = broker.unavailable();
  const name = missing === undefined ? broker.name : `${broker.name} (${missing})`;
  describe.skipIf(missing !== undefined)(name, () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await Stage.open(broker);
    }, OPEN_MS);
    afterAll(() => stage?.close());

    for (const scenario of SCENARIOS) {
      if (scenario.byHand || broker.byHand?.has(scenario.name) || gap(scenario, broker) !== undefined) continue;
      test(`${scenario.name}: ${scenario.title}`, { timeout: SCENARIO_MS }, async () => console.log(await play(scenario, stage)));
    }
  });
}
