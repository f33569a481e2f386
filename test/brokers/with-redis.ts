import { describe } from "vitest";
import { redisAvailable } from "./redis.ts";

/** Tests that need a Redis: skipped by name where there is none, and the name says why. */
export function withRedis(name: string, tests: () => void): void {
  const missing = redisAvailable();
  if (missing === undefined) describe(name, tests);
  else describe.skip(`${name} (${missing})`, tests);
}
