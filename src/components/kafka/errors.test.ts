import { expect, test } from "vitest";
import { AnsweredError, livesElsewhere } from "./errors.ts";

test.each([
  [74, "FENCED_LEADER_EPOCH", "unavailable", true],
  [75, "UNKNOWN_LEADER_EPOCH", "unavailable", true],
  [76, "UNSUPPORTED_COMPRESSION_TYPE", "unimplemented", false],
])("%i is %s", (number, name, code, elsewhere) => {
  const error = new AnsweredError("Fetch", number);
  expect(error).toMatchObject({ message: `Fetch: ${name}`, code, permanent: !elsewhere });
  expect(livesElsewhere(error)).toBe(elsewhere);
});
