import { expect, test } from "vitest";
import { KAFKA } from "./errors.ts";
import { PlayedReader } from "./played-reader.fixture.ts";
import { joinGroup, offsetCommit, offsetFetch } from "./wire/group-apis.ts";
import { listOffsets } from "./wire/log-apis.ts";

test("partitions without a leader, or whose leader is away, keep no other from being read, and begin when there is one", async () => {
  const played = new PlayedReader(1, -1, 2);
  played.away.add(2);
  await expect.poll(() => played.read).toEqual([0]);
  await expect.poll(() => played.told.at(-1)?.code).toBe("unavailable");
  for (let again = 0; again < 5; again++) {
    const asked = played.asked(offsetFetch).length;
    played.clock.advance(1_000);
    await expect.poll(() => played.asked(offsetFetch).length).toBeGreaterThan(asked);
  }
  expect(played.told.at(-1)?.code).toBe("unavailable");
  played.becomes({ leaders: [1, 3, 3] });
  played.clock.advance(1_000);
  await expect.poll(() => played.read).toEqual([0, 1, 2]);
  expect(played.told.at(-1)).toBeUndefined();
  expect(played.asked(joinGroup).length).toBe(1);
});

test("of several partitions of one broker, the one that it does not lead any more is tried again alone", async () => {
  const played = new PlayedReader(1, 1, 1);
  played.on(listOffsets, ({ partitions }) =>
    partitions.map((index) => ({ index, error: index === 1 ? KAFKA.notLeader : KAFKA.none, offset: 0 })),
  );
  await expect.poll(() => played.fetches.map(({ partitions }) => partitions.map(({ index }) => index))).toEqual([[0, 2]]);
  played.on(listOffsets, ({ partitions }) => partitions.map((index) => ({ index, error: 0, offset: 7 })));
  played.becomes({ leaders: [1, 3, 1] });
  played.clock.advance(1_000);
  await expect.poll(() => played.fetches.at(-1)).toMatchObject({ broker: 3, partitions: [{ index: 1, offset: 7 }] });
  expect(played.asked(listOffsets).at(-1)?.partitions).toEqual([1]);
});

test("a topic that was made anew, and has no leader yet, is read when it has one, without another rebalance", async () => {
  const played = new PlayedReader(1);
  played.committed({ 0: { offset: 5 } });
  await expect.poll(() => played.fetches.length).toBe(1);
  played.committed({});
  played.becomes({ id: "0b".repeat(16), leaders: [-1] });
  await expect.poll(() => played.told.at(-1)?.code).toBe("unavailable");
  played.becomes({ leaders: [3] });
  played.clock.advance(1_000);
  await expect.poll(() => played.fetches.at(-1)).toMatchObject({ broker: 3, partitions: [{ index: 0, offset: 0 }] });
  await expect.poll(() => played.told.at(-1)).toBeUndefined();
  expect(played.asked(joinGroup).length).toBe(1);
});

test("where a partition begins that its group has never read is committed before anything of it is settled", async () => {
  const played = new PlayedReader(1, 1);
  played.committed({ 0: { offset: 5 } });
  played.on(listOffsets, ({ partitions }) => partitions.map((index) => ({ index, error: 0, offset: 7 })));
  await expect.poll(() => played.read).toEqual([0, 1]);
  played.clock.advance(100);
  await expect.poll(() => played.asked(offsetCommit).map(({ commits }) => commits)).toMatchObject([[{ index: 1, offset: 7 }]]);
});

test("a partition that may not be read ends the reader", async () => {
  const played = new PlayedReader(1, 1);
  played.on(listOffsets, ({ partitions }) => partitions.map((index) => ({ index, error: index === 1 ? 29 : 0, offset: 0 })));
  expect(await played.reader.closed).toMatchObject({ code: "permission_denied" });
});
