import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { goAvailable, goProgram } from "../brokers/go-programs.ts";
import { type Certificates, makeCertificates, opensslAvailable } from "./certificates.ts";
import { ran } from "./ran.ts";
import { serve } from "./served.ts";

/** Building it the first time; every case may wait for its own timeout of two seconds. */
const ALL_MS = 900_000;
/** All that it has, the strict ones included. */
const ALL_CASES = 146;

test.for(["plaintext", "TLS"])(
  "h2spec finds nothing wrong with our server in strict mode, over %s",
  { timeout: ALL_MS },
  async (over, { skip }) => {
    const missing = goAvailable() ?? (over === "TLS" ? opensslAvailable() : undefined);
    skip(missing !== undefined, missing);
    const h2spec = await goProgram("h2spec");
    const directory = mkdtempSync(join(tmpdir(), "h2spec-"));
    const report = join(directory, "report.xml");
    const certificates: Certificates | undefined = over === "TLS" ? makeCertificates() : undefined;
    const served = await serve(certificates);
    try {
      const where = ["-h", "127.0.0.1", "-p", String(served.port), ...(certificates ? ["-t", "-k"] : [])];
      const { output } = await ran(h2spec, [...where, "-S", "--timeout", "2", "-j", report], { timeout: ALL_MS });
      const summary = output.match(/(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/);
      expect(summary, output).not.toBeNull();
      const [, tests, passed, skipped, failed] = (summary ?? []).map(Number);
      expect({ skipped, failed }, unhappy(readFileSync(report, "utf8"))).toEqual({ skipped: 0, failed: 0 });
      expect(passed).toBe(tests);
      expect(passed, "it ran the strict cases too").toBeGreaterThanOrEqual(ALL_CASES);
    } finally {
      await served.stop();
      rmSync(directory, { recursive: true });
      if (certificates) rmSync(certificates.directory, { recursive: true });
    }
  },
);

/** The cases that did not pass, as the report has them. */
function unhappy(report: string): string {
  const cases = report.match(/<testcase [^>]*>[\s\S]*?<\/testcase>/g) ?? [];
  return cases.filter((text) => /<(failure|skipped|error)/.test(text)).join("\n");
}
