import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "./http2/limits.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(`${folder}/README.md`, "utf8");

test("the README's example prints what was sent, and ends by itself", () => {
  const example = /^```ts\n(.*?)^```/ms.exec(readme)?.[1] ?? "";
  const flags = ["--input-type=module", "--eval", example];
  expect(execFileSync(process.execPath, flags, { cwd: folder, encoding: "utf8", timeout: 10_000 })).toBe("hello\n");
});

test("the README names every limit", () => {
  for (const name of Object.keys(DEFAULT_LIMITS)) expect(readme).toContain(`\`${name}\``);
});
