import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { components } from "./registry.ts";

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");

/** A line each, as the page has them, of what a component's sources can find: written out, or by functions that put the type before the id. */
function linesOf(type: string): readonly string[] {
  const files = readdirSync(new URL(type, import.meta.url), { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => /(?<!\.(test|fixture))\.ts$/.test(file))
    .flatMap((file) => {
      const source = read(`${type}/${file}`);
      const whole = source.matchAll(new RegExp(`(?:level: "(\\w+)",\\s+id: )?"(${type}\\.[\\w-]+)"`, "g"));
      const short = source.includes(`id: \`${type}.\${id}\``) ? source.matchAll(/\b(warn|refuse)\(\s*"([\w-]+)"/g) : [];
      return [
        ...[...whole].map(([, level, id]) => `| \`${id}\` | ${level} |`),
        ...[...short].map(([, level, id]) => `| \`${type}.${id}\` | ${level} |`),
      ];
    });
}

test("every finding of a component has its line in docs/findings.md, and no other has", () => {
  const found = new Set(Object.keys(components).flatMap(linesOf));
  expect(
    read("../../docs/findings.md")
      .match(/^\| `[\w.-]+` \| \w+ \|/gm)
      ?.toSorted(),
  ).toEqual([...found].sort());
});
