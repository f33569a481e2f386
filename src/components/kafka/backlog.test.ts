import { expect, test } from "vitest";
import { backlogOf } from "./backlog.ts";
import type { Cluster, Topic } from "./cluster.ts";
import type { Connection } from "./connection.ts";
import { KAFKA } from "./errors.ts";
import { sealed, writeMarks } from "./marks.ts";
import { Partition, type Stand } from "./partition.ts";
import { batchOf } from "./played-reader.fixture.ts";
import { DONE } from "./progress.ts";
import { EARLIEST, type FetchQuery, fetch, fetchByName, listOffsets } from "./wire/log-apis.ts";

const TOPIC: Topic = { name: "topic1", id: "0a".repeat(16), leaders: [1] };
const START = 5;
const END = 9;
/** How old the messages are. */
const AGE_MS = 1_000;

/** A log whose first messages were deleted, and what a group has committed of it. */
function deletedTo(start: number, stand: Stand): Cluster {
  const fetched = ({ partitions: [asked] }: FetchQuery) => {
    const { offset = 0 } = asked ?? {};
    const records = offset < start ? Buffer.alloc(0) : batchOf(offset, 0, "a");
    const error = offset < start ? KAFKA.offsetOutOfRange : KAFKA.none;
    return { error: 0, partitions: [{ index: 0, error, lastStable: END, logStart: start, aborted: [], records }] };
  };
  const answers = new Map<string, (query: never) => unknown>([
    [listOffsets.name, ({ time }: { time: number }) => [{ index: 0, error: 0, offset: time === EARLIEST ? start : END }]],
    [fetch.name, fetched],
    [fetchByName.name, fetched],
  ]);
  const connection: Partial<Connection> = {
    speaks: new Map(),
    call: (api, query) => Promise.resolve(answers.get(api.name)?.(query as never) as never),
  };
  const committed = { topic: TOPIC.name, index: 0, error: 0, ...stand, metadata: sealed("here", stand.metadata) };
  const cluster = {
    id: "here",
    topic: () => Promise.resolve(TOPIC),
    connection: () => Promise.resolve(connection),
    askCoordinator: () => Promise.resolve({ error: 0, committed: [committed] }),
    ensureRight: () => undefined,
    ground: { options: { readTimeout: 1_000 }, clock: { now: () => Date.now() + AGE_MS } },
  };
  return cluster as unknown as Cluster;
}

const settled = (from: number, to: number) => writeMarks(TOPIC.id, 2, [{ from, to, failures: DONE }], 4_096).text;

test.each([
  ["nothing beyond", "", END - START],
  ["some that were deleted", settled(3, 5), END - START],
  ["some that are there", settled(3, 7), END - 7],
])(
  "messages that were deleted unread are not counted, and the oldest that is left is still told of: settled is %s",
  async (_, metadata, left) => {
    const stand = { offset: 2, metadata, epoch: -1 };
    const cluster = deletedTo(START, stand);
    for (const own of [[], [new Partition(TOPIC.name, TOPIC.id, 0, stand)]]) {
      const { messages, here, oldestMs } = await backlogOf(cluster, "group1", TOPIC.name, own);
      expect([messages, here]).toEqual([left, own.length === 0 ? 0 : left]);
      expect(oldestMs).toBeGreaterThanOrEqual(AGE_MS);
    }
  },
);

test("of a log that has all, everything from the committed offset on is counted", async () => {
  const cluster = deletedTo(0, { offset: 2, metadata: "", epoch: -1 });
  expect((await backlogOf(cluster, "group1", TOPIC.name, [])).messages).toBe(END - 2);
});
