import { PubSubError } from "../../pubsub/error.ts";
import type { Cluster, Topic } from "./cluster.ts";
import { offsetsAt } from "./offsets.ts";
import type { Partition } from "./partition.ts";
import { EARLIEST, LATEST, offsetForLeaderEpoch } from "./wire/log-apis.ts";

/** Where reading goes on after the broker said that it has no such offset. */
export interface Relocation {
  readonly offset: number;
  /** What was read is there no more: nothing of it holds. */
  readonly back: boolean;
  readonly error: PubSubError;
}

/** Where messages begin that were deleted before they were read, or where a leader's log ends that is shorter than what we have read. */
export async function whereToGoOn(
  cluster: Cluster,
  topic: Topic,
  { index, epoch, progress: { next } }: Partition,
): Promise<Relocation | undefined> {
  const [starts, ends] = await Promise.all([offsetsAt(cluster, topic, EARLIEST, [index]), offsetsAt(cluster, topic, LATEST, [index])]);
  const [start = 0, end = 0] = [starts[index], ends[index]];
  if (next < start) {
    const why = `${start - next} messages of ${topic.name} were deleted before they were read`;
    return { offset: start, back: false, error: new PubSubError("failed_precondition", why) };
  }
  if (next <= end) return undefined;
  const known = epoch < 0 ? -1 : await endOf(cluster, topic, index, epoch);
  const why = `${topic.name} ends at ${end}, before what was read of it: its leader has lost messages`;
  return { offset: known < 0 ? start : Math.min(known, end), back: true, error: new PubSubError("failed_precondition", why) };
}

async function endOf(cluster: Cluster, topic: Topic, partition: number, epoch: number): Promise<number> {
  const connection = await cluster.connection(topic.leaders[partition] ?? -1, "control");
  const { error, endOffset } = await connection.call(
    offsetForLeaderEpoch,
    { topic: topic.name, partition, epoch },
    cluster.ground.options.readTimeout,
  );
  cluster.ensureRight(`where ${topic.name} ends`, error);
  return endOffset;
}
