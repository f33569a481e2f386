import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../brokers/server.ts";
import { Program } from "../e2e/program.ts";

const programs: Program[] = [];
let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "js-sdk-"));
  writeFileSync(join(directory, "package.json"), '{ "private": true }\n');
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts", "layotto@1.18.0"];
  execFileSync("npm", args, { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
  copyFileSync(fileURLToPath(new URL("js-sdk.fixture.cjs", import.meta.url)), join(directory, "app.cjs"));
}, 240_000);
afterAll(async () => {
  for (const program of programs) {
    program.kill();
    await program.ended();
  }
  rmSync(directory, { recursive: true });
});

test("Layotto's JS SDK, unmodified, publishes, is refused with Layotto's words, is called back, and again after it threw", async () => {
  const ports = { runtime_GRPC_PORT: String(await freePort()), appcallback_GRPC_PORT: String(await freePort()) };
  const config = join(directory, "layotto.yaml");
  writeFileSync(config, "pubsubs: { broker: { type: in-memory } }\n");
  const flags = [
    "--grpc-port",
    ports.runtime_GRPC_PORT,
    "--http-port",
    "0",
    "--metrics-port",
    "0",
    "--app-port",
    ports.appcallback_GRPC_PORT,
  ];
  const sidecar = new Program("src/main.ts", ["start", "-c", config, "--data-dir", directory, ...flags]);
  programs.push(sidecar);
  await sidecar.printed("layotto is ready");
  const app = new Program("app.cjs", [], ports, process.execPath, { cwd: directory });
  programs.push(app);
  const again = '{"data":{"again":true},"topic":"topic1","type":"application/json","metadata":{}}\n';
  await app.printed("3 pubsub nope not found\n");
  await app.printed('{"data":{"hello":"wörld"},"topic":"topic1","type":"application/json","metadata":{"mykey":"v"}}\n');
  await app.printed(again);
  await expect.poll(() => app.stdout.split(again).length - 1, { timeout: 10_000 }).toBe(2);
}, 60_000);
