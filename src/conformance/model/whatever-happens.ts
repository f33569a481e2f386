import fc from "fast-check";
import { type Action, actionsOn } from "./actions.ts";
import type { Scene } from "./stage.ts";
import { World } from "./world.ts";

/** Nothing is lost, keys keep their order, a message is with one app at a time, and only failures make dead letters. */
export function whateverHappens(scene: Scene, order: "none" | "key"): fc.IAsyncProperty<[readonly Action[]]> {
  return fc.asyncProperty(actionsOn(scene), async (todo) => {
    const world = await World.begin(scene, order);
    try {
      for (const { act } of todo) {
        await act(world);
        await world.settle();
      }
      await world.heal();
      const faults = await world.faults();
      if (faults.length > 0) throw new Error(faults.join("; "));
    } finally {
      await world.end();
    }
  });
}
