import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadConfig } from "./load.ts";

const cwd = fileURLToPath(new URL("../../configs", import.meta.url));

for (const file of readdirSync(cwd)) {
  test(`the sample configs/${file} is right, and says nothing to worry about`, async () => {
    const { settings, notices } = await loadConfig({ file, env: {}, cwd, embedded: false, isTerminal: false, overrides: {} });
    expect(settings.pubsubs.size).toBeGreaterThan(0);
    expect(notices).toEqual([]);
  });
}

test("the README's configuration is right", async () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const [, text = ""] = /```yaml\n([\s\S]+?)```/.exec(readme) ?? [];
  const directory = mkdtempSync(join(tmpdir(), "readme-"));
  writeFileSync(join(directory, "layotto.yaml"), text);
  const { settings, notices } = await loadConfig({ env: {}, cwd: directory, embedded: false, isTerminal: false, overrides: {} });
  rmSync(directory, { recursive: true });
  expect([[...settings.pubsubs.keys()], notices]).toEqual([["orders"], []]);
});
