import { expect, test } from "vitest";
import type { Cluster, Topic } from "./cluster.ts";
import type { Connection } from "./connection.ts";
import { Partition } from "./partition.ts";
import { batchOf, PlayedReader } from "./played-reader.fixture.ts";
import { whereToGoOn } from "./relocation.ts";
import { offsetCommit } from "./wire/group-apis.ts";
import { EARLIEST, listOffsets, offsetForLeaderEpoch } from "./wire/log-apis.ts";

const TOPIC: Topic = { name: "topic1", id: "0a".repeat(16), leaders: [1] };

/** A log as its leader has it: its first offset, the one behind its last, and where an epoch ends; undefined: it knows of none. */
function log(start: number, end: number, epochEnd: number | undefined): Cluster {
  const answers = new Map<number, (query: { time: number }) => unknown>([
    [listOffsets.key, ({ time }) => [{ index: 0, error: 0, offset: time === EARLIEST ? start : end }]],
    [offsetForLeaderEpoch.key, () => ({ error: 0, endOffset: epochEnd })],
  ]);
  const connection: Partial<Connection> = {
    speaks: new Map(epochEnd === undefined ? [] : [[offsetForLeaderEpoch.key, offsetForLeaderEpoch.version]]),
    call: (api, query) => Promise.resolve(answers.get(api.key)?.(query as { time: number }) as never),
  };
  const cluster = {
    connection: () => Promise.resolve(connection),
    ensureRight: () => undefined,
    ground: { options: { readTimeout: 1_000 } },
  };
  return cluster as unknown as Cluster;
}

const readTo = (offset: number, epoch: number) => new Partition(TOPIC.name, TOPIC.id, 0, { offset, metadata: "", epoch });

test("a log that was cut off and has grown again beyond what was read is read on from where it was cut off", async () => {
  expect(await whereToGoOn(log(0, 20, 5), TOPIC, readTo(8, 3))).toMatchObject({ offset: 5, back: true });
  expect(await whereToGoOn(log(0, 8, 5), TOPIC, readTo(8, 3))).toMatchObject({ offset: 5, back: true });
});

test("where nothing is known of an epoch, or all of it is there, the log's own ends decide", async () => {
  for (const epochEnd of [undefined, -1, 8, 30]) expect(await whereToGoOn(log(0, 20, epochEnd), TOPIC, readTo(8, 3))).toBeUndefined();
  for (const epochEnd of [undefined, -1]) {
    expect(await whereToGoOn(log(2, 6, epochEnd), TOPIC, readTo(8, 3))).toMatchObject({ offset: 2, back: true });
  }
  for (const epochEnd of [undefined, 10]) {
    expect(await whereToGoOn(log(10, 20, epochEnd), TOPIC, readTo(8, 3))).toMatchObject({ offset: 10, back: false });
  }
});

/** A reader that has read three messages under epoch 0, and settled the first and the third. */
async function reading() {
  const played = new PlayedReader(1);
  await expect.poll(() => played.fetches.length).toBe(1);
  played.fetches[0]?.answer(0, batchOf(0, 0, "1", "2", "3"));
  const [first, second, third] = await played.sink.next(3);
  first?.ack();
  third?.ack();
  played.clock.advance(100);
  await expect.poll(() => played.fetches.length).toBe(2);
  return { played, second };
}

test("as long as a connection lasts, nobody is asked whether the log is what it was", async () => {
  const { played } = await reading();
  for (let next = 3; next < 6; next++) {
    played.fetches.at(-1)?.answer(0, batchOf(next, 0, "more"));
    await played.sink.one();
  }
  expect(played.asked(offsetForLeaderEpoch)).toEqual([]);
});

test("after a connection ended, a log that was cut off is noticed before it is read on, whatever it has grown to", async () => {
  const { played, second } = await reading();
  played.on(offsetForLeaderEpoch, () => ({ error: 0, endOffset: 2 }));
  played.fetches.at(-1)?.fail();
  played.clock.advance(100);
  await expect.poll(() => played.fetches.length).toBe(3);
  expect(played.sink.lostOnes).toEqual([second]);
  expect(played.fetches[2]?.partitions).toEqual([{ index: 0, offset: 1 }]);
  played.clock.advance(100);
  await expect.poll(() => played.asked(offsetCommit).at(-1)?.commits).toMatchObject([{ index: 0, offset: 1, epoch: -1 }]);
});

test("a new leader is asked once, and a partition of which all is there is read on", async () => {
  const { played } = await reading();
  played.becomes({ leaders: [2] });
  await expect.poll(() => played.fetches.at(-1)?.broker).toBe(2);
  expect(played.fetches.at(-1)?.partitions).toEqual([{ index: 0, offset: 3 }]);
  played.fetches.at(-1)?.answer(0, batchOf(3, 1, "4"));
  await played.sink.one();
  expect(played.asked(offsetForLeaderEpoch)).toEqual([{ topic: "topic1", partition: 0, epoch: 0 }]);
  expect(played.sink.lostOnes).toEqual([]);
});
