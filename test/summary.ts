import type { Reporter, TestModule } from "vitest/node";

/**
 * Closes a test run with the plain line `N passed, N failed`, after the name of and the reason for every test that was skipped.
 * With CI=true a skipped test fails the run: there, everything must be had.
 */
export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    const broken = modules.filter((module) => module.errors().length > 0).length + errors.length;
    const skipped = tests.filter((test) => test.result().state === "skipped");
    for (const test of skipped) {
      const result = test.result();
      const why = "note" in result && result.note ? result.note : "no reason given";
      console.log(`skipped: ${test.module.relativeModuleId} > ${test.fullName}: ${why}`);
    }
    const forbidden = process.env.CI === "true" ? skipped.length : 0;
    if (forbidden > 0) {
      console.log("With CI=true every test must run: a skipped one counts as failed.");
      process.exitCode = 1;
    }
    const rest = skipped.length - forbidden;
    console.log(`${count("passed")} passed, ${count("failed") + broken + forbidden} failed${rest > 0 ? `, ${rest} skipped` : ""}`);
  }
}
