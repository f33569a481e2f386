import { expect, test } from "vitest";
import { Batches } from "./batches.ts";
import { Lease } from "./lease.ts";
import type { Received } from "./message.ts";

const QUEUE = "b/1";

const message = (position: string): Received => ({
  position,
  identity: position,
  data: new Uint8Array(0),
  attributes: {},
  publishedAt: 0,
  deliveries: 1,
  handle: "",
  queue: 1,
  size: 0,
});
const lease = (position: string) => new Lease("t", QUEUE, message(position), 0, { settled: () => undefined });

/** What of these must be lent. */
function lent(batches: Batches, ...positions: readonly string[]): readonly string[] {
  batches.received("b", positions.map(message));
  return positions.filter((position) => !batches.isDone(QUEUE, position));
}

test("what the app has done behind a message that was given back is not lent again", () => {
  const batches = new Batches();
  expect(lent(batches, "1", "2", "3")).toEqual(["1", "2", "3"]);
  batches.acked(lease("2"));
  batches.back(lease("1"));
  batches.acked(lease("3"));
  expect(lent(batches, "1", "2", "3", "4")).toEqual(["1", "4"]);
});

test("once all of it is done nothing is remembered: a group that is moved back gets it again", () => {
  const batches = new Batches();
  lent(batches, "1", "2");
  for (const position of ["2", "1"]) batches.acked(lease(position));
  expect(lent(batches, "1", "2")).toEqual(["1", "2"]);
});

test("what another reader has taken over is forgotten with the next batch of the queue", () => {
  const batches = new Batches();
  lent(batches, "1", "2");
  batches.back(lease("1"));
  batches.acked(lease("2"));
  expect(lent(batches, "3")).toEqual(["3"]);
  batches.back(lease("3"));
  expect(lent(batches, "2", "3")).toEqual(["2", "3"]);
});
