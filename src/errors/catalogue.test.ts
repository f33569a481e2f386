import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { catalogue } from "./catalogue.ts";

test("every error has its line in docs/errors.md, with a text and a remedy", () => {
  const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
  expect(page.match(/^\| `[A-Z_]+` \|/gm)).toEqual(catalogue.map(({ id }) => `| \`${id}\` |`));
  for (const { text, remedy } of catalogue) expect([text, remedy]).not.toContain("");
});
