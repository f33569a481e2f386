import { expect, test } from "vitest";
import { spelledOut } from "./layotto-flags.ts";

const known = new Set(["--config", "--pod-name", "--log-level"]);

test.each([
  ["-pn", "--pod-name"],
  ["-pn=a", "--pod-name=a"],
  ["-config", "--config"],
  ["-log-level=debug", "--log-level=debug"],
  ["-c", "-c"],
  ["--config", "--config"],
  // Of one letter, with its value.
  ["-cconfig.json", "-cconfig.json"],
  ["-lp", "-lp"],
  ["debug", "debug"],
])("%s is %s", (arg, spelled) => {
  expect(spelledOut(arg, known)).toBe(spelled);
});
