import { expect, test } from "vitest";
import { type Numbered, tally, written } from "./tally.ts";

const messages: readonly Numbered[] = ["a", "b"].flatMap((key) =>
  [1, 2, 3].map((number) => ({ key, number, refused: key === "b" && number === 2 })),
);
const line = (topic: string, text: string) => `Received a new event.Topic: ${topic} , Data:${text} `;
const ALL = ["a 1", "b 1", "b 2 refused", "a 2", "b 2 refused", "b 3", "a 3"];

const tallied = (came: readonly string[], dead: readonly string[] = ["b 2 refused"]) =>
  tally(messages, ["Start listening", ...came.map((text) => line("t", text)), ...dead.map((text) => line("dead", text))], "t", "dead");

test("what is as it should be", () => {
  expect(messages.map(written)).toEqual(["a 1", "a 2", "a 3", "b 1", "b 2 refused", "b 3"]);
  expect(tallied(ALL)).toEqual({ published: 6, delivered: 6, inOrder: true, retried: 1, deadLettered: 1, problems: [] });
});

test("a hole is found", () => {
  const holed = tallied(ALL.filter((text) => text !== "a 2"));
  expect([holed.delivered, holed.problems]).toEqual([5, ['"a 2" never came']]);
});

test("a message that comes before the one before it is done with is found", () => {
  const { inOrder, problems } = tallied(["a 1", "a 3", "a 2", "b 1", "b 2 refused", "b 3", "b 2 refused"]);
  expect([inOrder, problems]).toEqual([false, ['"a 2" came out of order', '"b 2 refused" came out of order']]);
});

test("dead letters are those that were refused, and no others; what nobody published is found", () => {
  expect(tallied(ALL, []).problems).toEqual(['"b 2 refused" was refused and is no dead letter']);
  expect(tallied(ALL, ["b 2 refused", "a 1"]).problems).toEqual(['"a 1" was not refused and is a dead letter']);
  expect(tallied([...ALL, "c 9"]).problems).toEqual(['"c 9" was never published']);
});
