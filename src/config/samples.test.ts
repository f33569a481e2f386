import { readdirSync } from "node:fs";
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
