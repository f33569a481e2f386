import { expect, test } from "vitest";
import { readSubscription } from "./assignor.ts";
import { KAFKA } from "./errors.ts";
import { batchOf, PlayedReader } from "./played-reader.fixture.ts";
import { type Committed, heartbeat, joinGroup, leaveGroup, offsetCommit, offsetFetch } from "./wire/group-apis.ts";

/** The app has a message of partition 1, of two, when the group gives its reader only the other one. */
async function revoked(...before: number[]) {
  const played = new PlayedReader(1, 2);
  played.assigns(...before);
  const settled = Promise.withResolvers<void>();
  played.sink.revoking = () => settled.promise;
  await expect.poll(() => played.read).toEqual(before);
  played.fetches.find(({ broker }) => broker === 2)?.answer(1, batchOf(0, 0, "a"));
  await played.sink.one();
  played.assigns(0);
  played.beat(KAFKA.rebalanceInProgress);
  await expect.poll(() => played.asked(joinGroup).length).toBe(2);
  return { played, settle: settled.resolve };
}

test("who is thrown out of the group while partitions are revoked begins none of those that it was to have", async () => {
  const { played, settle } = await revoked(0, 1);
  const [offsets, fetches] = [played.asked(offsetFetch).length, played.fetches.length];
  played.beat(KAFKA.unknownMember);
  await expect.poll(() => played.sink.lostOnes.length).toBe(1);
  played.assigns();
  settle();
  await expect.poll(() => played.asked(joinGroup).length).toBe(3);
  expect([played.asked(offsetFetch).length, played.fetches.length]).toEqual([offsets, fetches]);
});

test("a partition that is taken from a reader before it could begin is given up as well: the group shares it anew", async () => {
  const played = new PlayedReader(1, 2);
  played.away.add(2);
  await expect.poll(() => played.read).toEqual([0]);
  played.assigns(0);
  played.beat(KAFKA.rebalanceInProgress);
  await expect.poll(() => played.asked(joinGroup).length).toBe(3);
  expect(ownedOf(played)).toEqual([0]);
});

test("what is new to a reader does not wait for what is taken from it", async () => {
  const { played, settle } = await revoked(1);
  await expect.poll(() => played.read).toEqual([0, 1]);
  expect(played.sink.lostOnes).toEqual([]);
  settle();
  await expect.poll(() => played.sink.lostOnes.length).toBe(1);
  await expect.poll(() => played.asked(joinGroup).length).toBe(3);
  expect(ownedOf(played)).toEqual([0]);
});

test("a paused reader leaves also what it was given while it was about to", async () => {
  const played = new PlayedReader(1, 2);
  played.assigns(0);
  await expect.poll(() => played.read).toEqual([0]);
  const committed = Promise.withResolvers<void>();
  played.on(offsetCommit, async ({ commits }) => {
    await committed.promise;
    return commits.map(({ index }) => ({ index, error: 0 }));
  });
  played.fetches[0]?.answer(0, batchOf(0, 0, "a"));
  (await played.sink.one()).ack();
  played.reader.window(0, 0);
  played.clock.advance(3_000);
  await expect.poll(() => played.asked(offsetCommit).length).toBe(1);
  played.assigns(0, 1);
  const offsets = played.asked(offsetFetch).length;
  played.beat(KAFKA.rebalanceInProgress);
  await expect.poll(() => played.asked(offsetFetch).length).toBeGreaterThan(offsets);
  committed.resolve();
  await expect.poll(() => played.asked(leaveGroup).length).toBe(1);
  played.committed({ 1: { offset: 9 } });
  played.reader.window(100, 1_000_000);
  await expect.poll(() => played.fetches.flatMap(({ partitions }) => partitions.filter(({ index }) => index === 1)).at(-1)?.offset).toBe(9);
  expect(ownedOf(played)).toEqual([]);
});

test("a partition of a topic that was made anew is not begun when another reader has got it meanwhile", async () => {
  const played = new PlayedReader(1, 2);
  await expect.poll(() => played.read).toEqual([0, 1]);
  const answer = Promise.withResolvers<{ error: number; committed: Committed[] }>();
  played.on(offsetFetch, () => answer.promise);
  const offsets = played.asked(offsetFetch).length;
  played.becomes({ id: "0b".repeat(16), leaders: [3, 3] });
  await expect.poll(() => played.asked(offsetFetch).length).toBe(offsets + 1);
  played.assigns();
  played.beat(KAFKA.rebalanceInProgress);
  await expect.poll(() => played.asked(joinGroup).length).toBe(2);
  answer.resolve({ error: 0, committed: [] });
  played.assigns(0);
  played.beat(KAFKA.rebalanceInProgress);
  await expect.poll(() => played.fetches.at(-1)?.broker).toBe(3);
  expect(played.fetches.filter(({ broker }) => broker === 3).map(({ partitions }) => partitions.map(({ index }) => index))).toEqual([[0]]);
});

/** What the reader said that it has when it joined last. */
function ownedOf(played: PlayedReader): readonly number[] {
  const subscription = Buffer.from(played.asked(joinGroup).at(-1)?.subscription ?? []);
  return readSubscription(subscription).owned.flatMap(({ partitions }) => partitions);
}

test("signs of life wait behind nothing else, and are given an interval after the last, however long its answer took", async () => {
  const played = new PlayedReader(1);
  await expect.poll(() => played.read).toEqual([0]);
  played.clock.advance(100);
  await expect.poll(() => played.asked(offsetCommit).length).toBe(1);
  const answer = Promise.withResolvers<number>();
  played.on(heartbeat, () => answer.promise);
  played.clock.advance(3_000);
  expect(played.asked(heartbeat).length).toBe(1);
  expect([played.lanes.get(heartbeat.name), played.lanes.get(offsetCommit.name)]).toEqual(["heartbeat", "control"]);
  played.clock.advance(4_000);
  answer.resolve(KAFKA.none);
  await expect.poll(() => played.clock.timers).toBeGreaterThan(0);
  await new Promise(setImmediate);
  played.clock.advance(0);
  expect(played.asked(heartbeat).length).toBe(2);
});
