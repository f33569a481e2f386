import { PubSubError } from "../../pubsub/error.ts";
import type { Cluster, Topic } from "./cluster.ts";
import { METADATA_BYTES } from "./committing.ts";
import type { Connection } from "./connection.ts";
import { offsetsAt } from "./offsets.ts";
import type { Partition, Stand } from "./partition.ts";
import { EARLIEST, LATEST, offsetForLeaderEpoch } from "./wire/log-apis.ts";

/** Nothing that was read is beyond it. */
const UNKNOWN = Number.POSITIVE_INFINITY;

/** Where reading goes on instead of where we were. */
export interface Relocation {
  readonly offset: number;
  /** What was read is there no more: nothing of it holds. */
  readonly back: boolean;
  readonly error: PubSubError;
}

/** After the broker said that it has no such offset: messages were deleted before they were read, or it has lost what we have read. */
export async function whereToGoOn(cluster: Cluster, topic: Topic, partition: Partition): Promise<Relocation | undefined> {
  const { index, progress } = partition;
  const { next } = progress;
  // A log that was cut off may have grown again beyond where we are: that it is long enough says nothing.
  const known = await endKnown(cluster, topic, partition, await cluster.connection(topic.leaders[index] ?? -1, "control"));
  if (known < progress.end) return backTo(topic, known, known);
  const [starts, ends] = await Promise.all([offsetsAt(cluster, topic, EARLIEST, [index]), offsetsAt(cluster, topic, LATEST, [index])]);
  const [start = 0, end = 0] = [starts[index], ends[index]];
  if (next < start) {
    const why = `${start - next} messages of ${topic.name} were deleted before they were read`;
    return { offset: start, back: false, error: new PubSubError("failed_precondition", why) };
  }
  return next <= end || known !== UNKNOWN ? undefined : backTo(topic, start, end);
}

/** Where `partition` goes on, should its log have lost something of what was read in its epoch. Undefined: all is there, as far as is known. */
export async function cutOff(
  cluster: Cluster,
  topic: Topic,
  partition: Partition,
  connection: Connection,
): Promise<Relocation | undefined> {
  const end = await endKnown(cluster, topic, partition, connection);
  return end < partition.progress.end ? backTo(topic, end, end) : undefined;
}

function backTo(topic: Topic, offset: number, end: number): Relocation {
  const why = `${topic.name} ends at ${end}, before what was read of it: its leader has lost messages`;
  return { offset, back: true, error: new PubSubError("failed_precondition", why) };
}

/** What of it is before `end` and was not settled must come again; what was settled beyond is nothing of ours any more. */
export function leftOf(partition: Partition, end: number): Stand {
  return { ...partition.stand(METADATA_BYTES, end), epoch: -1 };
}

/** Where what its leader has of the epoch ends in which it was read last. */
async function endKnown(cluster: Cluster, topic: Topic, { index, epoch, progress }: Partition, connection: Connection): Promise<number> {
  if (epoch < 0 || progress.end === 0) return UNKNOWN;
  // Not all that speaks Kafka's protocol knows of epochs.
  if ((connection.speaks.get(offsetForLeaderEpoch.key) ?? 0) < offsetForLeaderEpoch.version) return UNKNOWN;
  const { error, endOffset } = await connection.call(
    offsetForLeaderEpoch,
    { topic: topic.name, partition: index, epoch },
    cluster.ground.options.readTimeout,
  );
  cluster.ensureRight(`where ${topic.name} ends`, error);
  return endOffset < 0 ? UNKNOWN : endOffset;
}
