import { describe } from "vitest";
import { rocketmqAvailable } from "./rocketmq.ts";

/** Tests that need a RocketMQ: skipped by name where there is none, and the name says why. */
export function withRocketmq(name: string, tests: () => void): void {
  const missing = rocketmqAvailable();
  if (missing === undefined) describe(name, tests);
  else describe.skip(`${name} (${missing})`, tests);
}
