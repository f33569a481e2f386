import { PubSubError } from "../../pubsub/error.ts";
import type { Cluster, Topic } from "./cluster.ts";
import { METADATA_BYTES } from "./committing.ts";
import { offsetsAt } from "./offsets.ts";
import type { Partition, Stand } from "./partition.ts";
import { EARLIEST, LATEST, offsetForLeaderEpoch } from "./wire/log-apis.ts";

const UNKNOWN = -1;

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
  const known = epoch < 0 ? UNKNOWN : await endOf(cluster, topic, index, epoch);
  const why = `${topic.name} ends at ${end}, before what was read of it: its leader has lost messages`;
  return { offset: known === UNKNOWN ? start : Math.min(known, end), back: true, error: new PubSubError("failed_precondition", why) };
}

/** What is left of `partition`, should its log have lost something of what was read in its epoch. Undefined: all is there. */
export async function cutOff(cluster: Cluster, topic: Topic, partition: Partition): Promise<Stand | undefined> {
  const { index, epoch, progress } = partition;
  if (epoch < 0 || progress.end === 0) return undefined;
  const end = await endOf(cluster, topic, index, epoch);
  return end === UNKNOWN || end >= progress.end ? undefined : leftOf(partition, end);
}

/** What of it is before `end` and was not settled must come again; what was settled beyond is nothing of ours any more. */
export function leftOf(partition: Partition, end: number): Stand {
  return { ...partition.stand(METADATA_BYTES, end), epoch: -1 };
}

async function endOf(cluster: Cluster, topic: Topic, partition: number, epoch: number): Promise<number> {
  const connection = await cluster.connection(topic.leaders[partition] ?? -1, "control");
  // Not all that speaks Kafka's protocol knows of epochs.
  if ((connection.speaks.get(offsetForLeaderEpoch.key) ?? 0) < offsetForLeaderEpoch.version) return UNKNOWN;
  const { error, endOffset } = await connection.call(
    offsetForLeaderEpoch,
    { topic: topic.name, partition, epoch },
    cluster.ground.options.readTimeout,
  );
  cluster.ensureRight(`where ${topic.name} ends`, error);
  return endOffset;
}
