import { expect, test } from "vitest";
import { PubSubError } from "../../pubsub/error.ts";
import type { Start } from "../../pubsub/subscription.ts";
import type { Cluster, Topic } from "./cluster.ts";
import { KAFKA } from "./errors.ts";
import { ensureGroup } from "./group.ts";
import type { Api } from "./wire/api.ts";
import { type Commit, offsetFetch } from "./wire/group-apis.ts";

const TOPIC: Topic = { name: "topic1", id: "0a".repeat(16), leaders: [1, -1, 2, 1] };

/** What is committed for a new group, where brokers are away, and broker 1 does not lead partition 3 any more. */
async function ensured(start: Start, ...away: number[]): Promise<readonly Commit[]> {
  const made: Commit[] = [];
  const connection = {
    speaks: new Map(),
    call: (_: unknown, { partitions }: { partitions: readonly number[] }) =>
      Promise.resolve(partitions.map((index) => ({ index, error: index === 3 ? KAFKA.notLeader : KAFKA.none, offset: 10 + index }))),
  };
  const cluster = {
    ensureTopic: () => Promise.resolve(TOPIC),
    connection: (broker: number) =>
      broker < 0 || away.includes(broker)
        ? Promise.reject(new PubSubError("unavailable", `there is no broker ${broker}`))
        : Promise.resolve(connection),
    askCoordinator(_: string, api: Api<never, unknown>, { commits }: { commits: readonly Commit[] }) {
      if (api.name === offsetFetch.name) return Promise.resolve({ error: 0, committed: [] });
      made.push(...commits);
      return Promise.resolve(commits.map(({ index }) => ({ index, error: 0 })));
    },
    stale: () => undefined,
    ground: { options: { readTimeout: 1_000 } },
  };
  const request = { topic: TOPIC.name, group: "group1", start, order: "none", options: {} } as const;
  await ensureGroup(cluster as unknown as Cluster, request, "join:1", AbortSignal.timeout(5_000));
  return made;
}

test("a group that begins at the oldest message exists also while partitions are without a leader", async () => {
  expect(await ensured("earliest")).toMatchObject([
    { index: 0, offset: 10 },
    { index: 2, offset: 12 },
  ]);
  expect(await ensured("earliest", 2)).toMatchObject([{ index: 0, offset: 10 }]);
});

test("no group begins where nobody answers, nor elsewhere than it was told in those that do not", async () => {
  await expect(ensured("earliest", 1, 2)).rejects.toMatchObject({ code: "unavailable" });
  await expect(ensured("latest")).rejects.toMatchObject({ code: "unavailable" });
});
