import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, test } from "vitest";
import { embeddedScene } from "./embedded-stage.ts";
import { inMemoryScene } from "./in-memory-stage.ts";
import { inThisThread, inWorker } from "./machine.ts";
import { modelScene } from "./model-stage.ts";
import type { Scene } from "./stage.ts";
import { whateverHappens } from "./whatever-happens.ts";

const directory = mkdtempSync(join(tmpdir(), "model-"));
afterAll(() => rmSync(directory, { recursive: true }));

const WORLDS = Number(process.env.MODEL_RUNS ?? 60);

/** Each with its share of the worlds: those with a file take longer, and a thread takes longest. */
const scenes: readonly (readonly [scene: Scene, share: number])[] = [
  [modelScene(false), 1],
  [modelScene(true), 1],
  [inMemoryScene(), 1],
  [embeddedScene(1, inThisThread, directory), 0.1],
  [embeddedScene(2, inThisThread, directory), 0.1],
  [embeddedScene(1, inWorker, directory), 0.01],
];
const each = scenes.flatMap(([scene, share]) =>
  (["none", "key"] as const).map((order) => [scene.name, order, scene, Math.ceil(WORLDS * share)] as const),
);

test.each(each)("whatever happens, the promises hold (%s, order: %s)", { timeout: 300_000 }, async (_, order, scene, worlds) => {
  await fc.assert(whateverHappens(scene, order), { numRuns: worlds });
});
