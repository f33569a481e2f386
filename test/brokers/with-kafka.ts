import { describe } from "vitest";
import { kafkaAvailable } from "./kafka.ts";

/** Tests that need a Kafka: skipped by name where there is none, and the name says why. */
export function withKafka(name: string, tests: () => void): void {
  const missing = kafkaAvailable();
  if (missing === undefined) describe(name, tests);
  else describe.skip(`${name} (${missing})`, tests);
}
