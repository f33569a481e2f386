import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { goAvailable, goProgram } from "../brokers/go-programs.ts";
import { ran } from "./ran.ts";
import { serve } from "./served.ts";
import { fileDescriptorSet } from "./testing-messages.ts";

/** Building it, the first time. */
const BUILD_MS = 600_000;
const CALLS = 2_000;

test("ghz finds no error in 2,000 unary calls, 20 at a time on two connections", { timeout: BUILD_MS }, async ({ skip }) => {
  const noGo = goAvailable();
  skip(noGo !== undefined, noGo);
  const ghz = await goProgram("ghz");
  const directory = mkdtempSync(join(tmpdir(), "ghz-"));
  const served = await serve();
  try {
    const descriptors = join(directory, "descriptors.bin");
    writeFileSync(descriptors, fileDescriptorSet);
    const load = ["--total", String(CALLS), "--concurrency", "20", "--connections", "2"];
    const call = ["--call", "grpc.testing.TestService.UnaryCall", "--data", '{"response_size": 1000}'];
    const args = ["--insecure", "--protoset", descriptors, ...call, ...load, "--format", "json", `127.0.0.1:${served.port}`];
    const { code, output } = await ran(ghz, args);
    expect(code, output).toBe(0);
    const report = JSON.parse(output) as { count: number; statusCodeDistribution: unknown; errorDistribution: unknown };
    expect(report).toMatchObject({ count: CALLS, statusCodeDistribution: { OK: CALLS }, errorDistribution: {} });
  } finally {
    await served.stop();
    rmSync(directory, { recursive: true });
  }
});
