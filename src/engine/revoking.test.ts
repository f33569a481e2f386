import { expect, test } from "vitest";
import { PubSubError } from "../pubsub/error.ts";
import type { DeadLetterTarget } from "./dead-letter.ts";
import { setUp } from "./reader.fixture.ts";

/** Whether the promise is settled by now. */
async function over(promise: Promise<void>): Promise<boolean> {
  const pending = Symbol("pending");
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

test("what is revoked goes back, last first, and what the app has may end before", async () => {
  const t = setUp({ maxInFlight: 2 });
  const all = ["a", "b", "c", "d"].map((name) => t.lend(name));
  const revoked = t.reader.revoking(all, new AbortController().signal);
  expect(t.log).toEqual(["release d", "release c"]);
  t.answer("a", "success");
  expect(await over(revoked)).toBe(false);
  t.answer("b", "success");
  await revoked;
  expect(t.log.slice(2)).toEqual(["ack a", "ack b"]);
});

test("what fails while it is revoked is on record, and goes back instead of being tried again", async () => {
  const t = setUp();
  const revoked = t.reader.revoking([t.lend("a")], new AbortController().signal);
  t.answer("a", "retry");
  await revoked;
  expect(t.log).toEqual(["keep 1 a", "release a"]);
});

test("what the app does not take while it is revoked goes back", async () => {
  const t = setUp();
  const revoked = t.reader.revoking([t.lend("a")], new AbortController().signal);
  t.answer("a", "unreachable");
  await revoked;
  expect(t.log).toEqual(["release a"]);
});

test("at the deadline nothing is waited for any more", async () => {
  const t = setUp();
  const deadline = new AbortController();
  const revoked = t.reader.revoking([t.lend("a")], deadline.signal);
  expect(await over(revoked)).toBe(false);
  deadline.abort();
  await revoked;
  expect(t.log).toEqual([]);
});

test("what cannot be dead-lettered while it is revoked goes back, and holds nobody up", async () => {
  const writes: ((error?: PubSubError) => void)[] = [];
  const deadLetters: DeadLetterTarget = { topic: "dead", maxBytes: 1_000, publish: (_, done) => void writes.push(done) };
  const t = setUp({}, { deadLetters });
  const delivery = t.lend("a");
  t.answer("a", "drop");
  const revoked = t.reader.revoking([delivery], new AbortController().signal);
  expect(await over(revoked)).toBe(false);
  writes[0]?.(new PubSubError("unavailable", "no such topic"));
  await revoked;
  expect(t.log).toEqual(["release a"]);
});
