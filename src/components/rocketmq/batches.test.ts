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
const lease = (position: string) =>
  new Lease("t", QUEUE, message(position), { text: "", through: "", at: 0 }, 0, { settled: () => undefined });

const nobody = { settle: () => undefined, past: () => undefined };

/** What of these must be lent. */
function lent(batches: Batches, ...positions: readonly string[]): readonly string[] {
  batches.received("b", positions.map(message));
  return positions.filter((position) => !batches.isDone(QUEUE, position));
}

test("what the app has done behind a message that was given back is not lent again", () => {
  const batches = new Batches(nobody);
  expect(lent(batches, "1", "2", "3")).toEqual(["1", "2", "3"]);
  batches.acked(lease("2"));
  batches.back(lease("1"));
  batches.acked(lease("3"));
  expect(lent(batches, "1", "2", "3", "4")).toEqual(["1", "4"]);
});

test("once all of it is done nothing is remembered: a group that is moved back gets it again", () => {
  const batches = new Batches(nobody);
  lent(batches, "1", "2");
  for (const position of ["2", "1"]) batches.acked(lease(position));
  expect(lent(batches, "1", "2")).toEqual(["1", "2"]);
});

test("what another reader has taken over is forgotten with the next batch of the queue", () => {
  const batches = new Batches(nobody);
  lent(batches, "1", "2");
  batches.back(lease("1"));
  batches.acked(lease("2"));
  expect(lent(batches, "3")).toEqual(["3"]);
  batches.back(lease("3"));
  expect(lent(batches, "2", "3")).toEqual(["2", "3"]);
});

test("what comes again in parts is known until the last of it has come", () => {
  const batches = new Batches(nobody);
  lent(batches, "1", "2", "3");
  for (const position of ["2", "3"]) batches.acked(lease(position));
  batches.back(lease("1"));
  expect(lent(batches, "1")).toEqual(["1"]);
  batches.acked(lease("1"));
  expect(lent(batches, "2", "3")).toEqual([]);
  for (const position of ["2", "3"]) batches.acked(lease(position));
  expect(lent(batches, "2", "3")).toEqual(["2", "3"]);
});

/** What becomes of leases, in that order. */
function followed(): readonly [Batches, string[]] {
  const log: string[] = [];
  const past = ({ position }: Lease) => log.push(`past ${position}`);
  return [new Batches({ settle: ({ state, position }) => log.push(`${state} ${position}`), past }), log];
}

test("acknowledgements go in the order of the queue, each as soon as all before it are done", () => {
  const [batches, log] = followed();
  lent(batches, "1", "2", "3", "4");
  for (const position of ["2", "4"]) batches.acked(lease(position));
  expect(log).toEqual([]);
  batches.acked(lease("1"));
  expect(log).toEqual(["acked 1", "acked 2"]);
  batches.acked(lease("3"));
  expect(log).toEqual(["acked 1", "acked 2", "acked 3", "acked 4"]);
});

test("behind a message that goes back all that is done goes back, and what is before it waits on", () => {
  const [batches, log] = followed();
  lent(batches, "1", "2", "3", "4", "5");
  for (const position of ["2", "4"]) batches.acked(lease(position));
  batches.back(lease("3"));
  batches.acked(lease("5"));
  expect(log).toEqual(["returned 4", "returned 5"]);
  batches.acked(lease("1"));
  expect(log.slice(2)).toEqual(["acked 1", "acked 2"]);
  expect(lent(batches, "3", "4", "5", "6")).toEqual(["3", "6"]);
});

test("order is the queue's also when less comes again than came before", () => {
  const [batches, log] = followed();
  lent(batches, "1", "2", "3");
  lent(batches, "1");
  batches.acked(lease("3"));
  batches.acked(lease("1"));
  expect(log).toEqual(["acked 1"]);
  batches.acked(lease("2"));
  expect(log).toEqual(["acked 1", "acked 2", "acked 3"]);
});

test("what waits behind a message that the broker is past waits no longer", () => {
  const [batches, log] = followed();
  lent(batches, "1", "2", "3");
  for (const position of ["2", "3"]) batches.acked(lease(position));
  batches.received("b", ["3", "4"].map(message));
  expect(log).toEqual(["past 2", "acked 3"]);
  batches.acked(lease("1"));
  expect(log).toEqual(["past 2", "acked 3", "past 1"]);
});

test("a message that is with us as one of another queue holds up nobody", () => {
  const [batches, log] = followed();
  lent(batches, "1", "2");
  batches.acked(lease("2"));
  batches.elsewhere(QUEUE, "1");
  expect(log).toEqual(["acked 2"]);
});
