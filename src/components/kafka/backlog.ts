import type { Backlog } from "../../pubsub/subscription.ts";
import type { Cluster } from "./cluster.ts";
import { readMarks } from "./marks.ts";
import { committedOf, offsetsAt, recordsAt } from "./offsets.ts";
import type { Partition } from "./partition.ts";
import { Progress } from "./progress.ts";
import { EARLIEST, LATEST } from "./wire/log-apis.ts";

/** What a group has not settled: of our own partitions as we know it, of the others as it was committed. */
export async function backlogOf(cluster: Cluster, group: string, name: string, own: readonly Partition[]): Promise<Backlog> {
  const topic = await cluster.topic(name);
  const [starts, ends, committed] = await Promise.all([
    offsetsAt(cluster, topic, EARLIEST),
    offsetsAt(cluster, topic, LATEST),
    committedOf(cluster, group, topic),
  ]);
  let messages = 0;
  let here = 0;
  let oldest = Number.POSITIVE_INFINITY;
  for (const [index, end] of ends.entries()) {
    const start = starts[index] ?? 0;
    const stand = committed.get(index) ?? { offset: start, metadata: "" };
    const ours = own.find((one) => one.index === index);
    const progress = ours?.progress ?? new Progress(stand.offset, readMarks(stand.offset, stand.metadata));
    // What was deleted before it was read waits no more.
    const deleted = progress.unsettled(start) - progress.open.length;
    const waiting = progress.unsettled(end) - deleted;
    if (waiting === 0) continue;
    messages += waiting;
    if (ours) here += waiting;
    const timestamp =
      progress.oldest?.publishedAt ?? (await recordsAt(cluster, topic, index, Math.max(progress.first, start))).records[0]?.timestamp;
    if (timestamp !== undefined) oldest = Math.min(oldest, timestamp);
  }
  return { messages, here, oldestMs: oldest === Number.POSITIVE_INFINITY ? undefined : Math.max(0, cluster.ground.clock.now() - oldest) };
}
