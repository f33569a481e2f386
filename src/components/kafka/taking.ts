import type { Cluster } from "./cluster.ts";
import { committedOf, offsetsAt } from "./offsets.ts";
import { Partition } from "./partition.ts";
import { cutOff } from "./relocation.ts";
import type { Remembered } from "./remembered.ts";
import { EARLIEST } from "./wire/log-apis.ts";

/** Partitions of a topic, where its group is in them. In one that it has never read, that is the first message: it is new. */
export async function take(
  cluster: Cluster,
  group: string,
  name: string,
  indexes: readonly number[],
  remembered: Remembered,
): Promise<readonly Partition[]> {
  let topic = await cluster.topic(name);
  // Whoever shared them knew of more.
  if (indexes.some((index) => index >= topic.leaders.length)) {
    await cluster.refresh();
    topic = await cluster.topic(name);
  }
  const committed = await committedOf(cluster, group, topic);
  const fresh = indexes.filter((index) => !committed.has(index));
  const earliest = await offsetsAt(cluster, topic, EARLIEST, fresh);
  const taken = indexes.map((index) => {
    const known = committed.get(index) ?? { offset: earliest[index] ?? 0, metadata: "", epoch: -1 };
    return new Partition(topic.name, topic.id, index, remembered.recall(index, topic.id, known) ?? known, known);
  });
  return Promise.all(
    taken.map(async (partition) => {
      const left = await cutOff(cluster, topic, partition);
      return left ? partition.from(left) : partition;
    }),
  );
}
