import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { components } from "../components/registry.ts";
import { describeKeys } from "./describe.ts";
import { schema } from "./schema.ts";

test("every key has its line in docs/configuration.md, with a sentence", async () => {
  const definitions = await Promise.all(Object.values(components).map((load) => load()));
  const keys = [schema, ...definitions.map(({ definition }) => definition.options)].flatMap((type) => describeKeys(type));
  const page = readFileSync(new URL("../../docs/configuration.md", import.meta.url), "utf8");
  expect([...page.matchAll(/^\| `([^`]+)` \| ./gm)].map(([, path]) => path)).toEqual(keys.map(({ path }) => path));
  expect(keys.filter(({ text }) => text === "")).toEqual([]);
});
