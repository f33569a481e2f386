import { expect, test } from "vitest";
import { readAssignment, writeSubscription } from "./assignor.ts";
import type { Cluster, Topic } from "./cluster.ts";
import { AnsweredError, KAFKA } from "./errors.ts";
import { Sharing } from "./sharing.ts";

/** A group's leader, and how many partitions the topics of its members have. */
function leader(partitions: Record<string, number>) {
  const topic = (name: string): Promise<Topic> => {
    const count = partitions[name];
    if (count === undefined) return Promise.reject(new AnsweredError(`the topic ${name}`, KAFKA.unknownTopicOrPartition));
    return Promise.resolve({ name, id: "", leaders: Array.from({ length: count }, () => 1) });
  };
  const sharing = new Sharing({ topic, refresh: () => Promise.resolve() } as unknown as Cluster);
  const subscription = (...topics: string[]) => Buffer.from(writeSubscription({ topics, owned: [], generation: 1 }));
  const members = [
    { member: "ours", subscription: subscription("orders") },
    { member: "another", subscription: subscription("audit") },
  ];
  const share = async () => {
    const shared = await sharing.share({ error: 0, generation: 1, leader: "ours", member: "ours", members });
    return Object.fromEntries(
      [...shared].map(([member, bytes]) => [member, readAssignment(Buffer.from(bytes)).map(({ partitions: some }) => some)]),
    );
  };
  return { sharing, share };
}

test.each([
  ["was not there", undefined, []],
  ["has more partitions", 1, [[0]]],
])("partitions are shared anew when a topic that only another member reads %s", async (_, before, first) => {
  const partitions: Record<string, number> = { orders: 1, ...(before !== undefined && { audit: before }) };
  const { sharing, share } = leader(partitions);
  expect(await share()).toEqual({ ours: [[0]], another: first });
  expect(await sharing.outdated()).toBe(false);
  partitions.audit = 2;
  expect(await sharing.outdated()).toBe(true);
  expect(await share()).toEqual({ ours: [[0]], another: [[0, 1]] });
  expect(await sharing.outdated()).toBe(false);
  sharing.forget();
  partitions.audit = 3;
  expect(await sharing.outdated()).toBe(false);
});
