import fc from "fast-check";
import type { Verdict } from "../../app/channel.ts";
import type { Scene } from "./stage.ts";
import type { World } from "./world.ts";

/** Something that happens. Its name is what a counterexample shows. */
export interface Action {
  readonly name: string;
  act(world: World): void | Promise<void>;
}

const verdicts = fc.constantFrom<Verdict>(
  "success",
  "success",
  "success",
  "success",
  "retry",
  "failed",
  "drop",
  "retry",
  "failed",
  "unimplemented",
);

/** What can happen to sidecars on such a broker, one after the other. */
export function actionsOn({ sidecars, fates, turns, freezes }: Scene): fc.Arbitrary<readonly Action[]> {
  const sidecar = fc.nat({ max: sidecars - 1 });
  const on = (verb: string, act: (world: World, index: number) => void | Promise<void>) =>
    sidecar.map((index) => action(`${verb} ${index}`, (world) => act(world, index)));
  const withKey = fc.tuple(sidecar, fc.nat({ max: 1 }), fc.integer({ min: 1, max: 3 }));
  const withFlag = fc.tuple(sidecar, fc.boolean());
  const requests = fates.map((fate) => ({ weight: 1, arbitrary: fc.constant(action(`step ${fate}`, (world) => world.step(fate))) }));
  const all = [
    {
      weight: 6,
      arbitrary: withKey.map(([i, key, count]) => action(`publish ${i} ${key} ${count}`, (world) => world.publish(i, key, count))),
    },
    ...(fates.length > 0 ? [{ weight: 8, arbitrary: fc.oneof(...requests) }] : []),
    { weight: turns ? 6 : 0, arbitrary: withFlag.map(([i, lost]) => action(`turn ${i} ${lost}`, (world) => world.turn(i, lost))) },
    {
      weight: 8,
      arbitrary: fc.tuple(sidecar, verdicts).map(([i, verdict]) => action(`answer ${i} ${verdict}`, (world) => world.answer(i, verdict))),
    },
    { weight: 3, arbitrary: fc.constantFrom(100, 1_000, 5_000, 16_000).map((ms) => action(`advance ${ms}`, (world) => world.advance(ms))) },
    {
      weight: 1,
      arbitrary: fc.tuple(sidecar, fc.nat({ max: 3 })).map(([i, n]) => action(`crash ${i} ${n}`, (world) => world.crash(i, n))),
    },
    { weight: 1, arbitrary: on("stop", (world, i) => world.stop(i)) },
    { weight: 1, arbitrary: on("drain", (world, i) => world.drain(i)) },
    {
      weight: 1,
      arbitrary: on("app dies", async (world, i) => {
        await world.appGoes(i);
        world.appComes(i);
      }),
    },
    { weight: 1, arbitrary: on("app goes", (world, i) => world.appGoes(i)) },
    { weight: 1, arbitrary: on("app comes", (world, i) => world.appComes(i)) },
    {
      weight: 1,
      arbitrary: withFlag.map(([i, stalled]) => action(`${stalled ? "stall" : "wake"} ${i}`, (world) => world.stall(i, stalled))),
    },
    {
      weight: freezes ? 1 : 0,
      arbitrary: withFlag.map(([i, frozen]) => action(`${frozen ? "freeze" : "thaw"} ${i}`, (world) => world.freeze(i, frozen))),
    },
  ];
  return fc.array(fc.oneof(...all.filter(({ weight }) => weight > 0)), { minLength: 20, maxLength: 120 });
}

function action(name: string, act: Action["act"]) {
  return { name, act, [fc.toStringMethod]: () => name };
}
