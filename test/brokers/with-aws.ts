import { describe } from "vitest";
import { awsAvailable } from "./aws.ts";

/** Tests that need SNS and SQS: skipped by name where there are none, and the name says why. */
export function withAws(name: string, tests: () => void): void {
  const missing = awsAvailable();
  if (missing === undefined) describe(name, tests);
  else describe.skip(`${name} (${missing})`, tests);
}
