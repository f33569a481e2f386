import fc from "fast-check";
import { expect, test } from "vitest";
import { actionsOn } from "./actions.ts";
import { inMemoryScene } from "./in-memory-stage.ts";
import { modelScene } from "./model-stage.ts";
import type { Scene } from "./stage.ts";
import { MOST_FAILURES, World } from "./world.ts";

const scenes: readonly (readonly [name: string, order: "none" | "key", scene: Scene, worlds: number])[] = [
  modelScene(false),
  modelScene(true),
  inMemoryScene(),
].flatMap((scene) => (["none", "key"] as const).map((order) => [scene.name, order, scene, 150] as const));

test.each(scenes)(
  "whatever happens: nothing is lost, keys keep their order, and only failures make dead letters (%s, order: %s)",
  { timeout: 300_000 },
  async (_, order, scene, worlds) => {
    const property = fc.asyncProperty(actionsOn(scene), async (todo) => {
      const world = await World.begin(scene, order);
      try {
        for (const { act } of todo) {
          await act(world);
          await world.settle();
        }
        await world.heal();
        expect(await world.witness.faults(MOST_FAILURES)).toEqual([]);
        expect(await world.quiet()).toBe(true);
      } finally {
        await world.end();
      }
    });
    await fc.assert(property, { numRuns: Number(process.env.MODEL_RUNS ?? worlds) });
  },
);
