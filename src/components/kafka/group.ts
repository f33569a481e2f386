import { within } from "../../pubsub/abort.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Start, SubscribeRequest } from "../../pubsub/subscription.ts";
import type { Cluster, Lane, Topic } from "./cluster.ts";
import { answered, coordinatedElsewhere, ensureNone, KAFKA, numberOf } from "./errors.ts";
import { Member } from "./member.ts";
import { byLeader, committedOf, offsetsOf, offsetsOn } from "./offsets.ts";
import { type Commit, offsetCommit } from "./wire/group-apis.ts";
import { EARLIEST } from "./wire/log-apis.ts";

const NOBODY = { generation: -1, member: "" };
const LOOK_MS = 50;

/** Makes the topic and the group exist: whoever reads in it later begins where it would begin now. */
export async function ensureGroup(
  cluster: Cluster,
  { topic: name, group, start }: SubscribeRequest,
  lane: Lane,
  signal: AbortSignal,
): Promise<void> {
  const topic = await cluster.ensureTopic(name, signal);
  await untilCoordinated(cluster, group, signal, async () => {
    const committed = await committedOf(cluster, group, topic);
    if (committed.size > 0) return;
    const commits = await beginnings(cluster, topic, start);
    const busy = await commitAlone(cluster, group, name, commits);
    // The group has readers, of other topics: only one of them may commit. Who begins at the oldest message need not.
    if (!busy || start === "earliest") return;
    await visit(cluster, group, lane, signal, async (member) => {
      // Another sidecar may have begun meanwhile.
      if ((await committedOf(cluster, group, topic)).size === 0) await commitAs(cluster, member, name, commits);
    });
  });
}

/**
 * Where a new group begins. At the oldest message it begins also in a partition of which nothing is committed: those whose leader is away keep
 * it from none of the others. At another place it begins in all of them, or it would get what it was not to have.
 */
async function beginnings(cluster: Cluster, topic: Topic, start: Start): Promise<readonly Commit[]> {
  const begin = (offset: number, index: number): Commit => ({ index, offset, epoch: -1, metadata: "" });
  if (start !== "earliest") return (await offsetsOf(cluster, topic, start)).map(begin);
  const commits: Commit[] = [];
  let failed: PubSubError | undefined;
  await Promise.all(
    [...byLeader(topic, topic.leaders.keys())].map(async ([leader, indexes]) => {
      try {
        for (const { index, error, offset } of await offsetsOn(cluster, leader, topic, EARLIEST, indexes)) {
          if (error === KAFKA.none) commits.push(begin(offset, index));
          else failed = answered(`where ${topic.name} begins, partition ${index}`, error);
        }
      } catch (error) {
        failed = asPubSubError(error);
      }
    }),
  );
  if (failed) cluster.stale();
  if (failed && commits.length === 0) throw failed;
  return commits;
}

/** Commits for a group without readers. Resolves to whether it has some. */
export async function commitAlone(cluster: Cluster, group: string, topic: string, commits: readonly Commit[]): Promise<boolean> {
  const answers = await cluster.askCoordinator(group, offsetCommit, { group, ...NOBODY, topic, commits });
  const failed = answers.find(({ error }) => error !== KAFKA.none);
  if (failed?.error === KAFKA.unknownMember || failed?.error === KAFKA.rebalanceInProgress) return true;
  ensureNone(`committing for the group ${group}`, failed?.error ?? KAFKA.none);
  return false;
}

async function commitAs(cluster: Cluster, member: Member, topic: string, commits: readonly Commit[]): Promise<void> {
  const { membership } = member;
  if (!membership) throw new PubSubError("unavailable", "the group has changed meanwhile");
  const answers = await cluster.askCoordinator(membership.group, offsetCommit, { ...membership, topic, commits });
  for (const { error } of answers) ensureNone(`committing for the group ${membership.group}`, error);
}

/** Does something as a member of the group that reads nothing. */
async function visit(
  cluster: Cluster,
  group: string,
  lane: Lane,
  signal: AbortSignal,
  work: (member: Member) => Promise<void>,
): Promise<void> {
  const failed = Promise.withResolvers<never>();
  const member = new Member(
    {
      cluster,
      group,
      topic: undefined,
      owned: [],
      assigned: () => Promise.resolve(false),
      out: failed.reject,
      refused: failed.reject,
      troubled: () => undefined,
    },
    lane,
  );
  try {
    member.start();
    await within(Promise.race([member.joined, failed.promise]), signal, `joining the group ${group}`);
    await work(member);
  } finally {
    failed.promise.catch(() => undefined);
    await member.stop();
  }
}

/** A coordinator that is new, or that is only loading what it knows, is asked again: the first question of a fresh cluster makes it. */
async function untilCoordinated(cluster: Cluster, group: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const loading = numberOf(error) === KAFKA.coordinatorLoading;
      if (!loading && !coordinatedElsewhere(error)) throw error;
      if (signal.aborted) throw answered(`the group ${group}`, numberOf(error) ?? KAFKA.coordinatorNotAvailable);
      cluster.forgetCoordinator(group);
      await new Promise<void>((resolve) => cluster.ground.clock.after(LOOK_MS, resolve));
    }
  }
}
