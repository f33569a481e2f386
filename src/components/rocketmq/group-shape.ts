import { PubSubError } from "../../pubsub/error.ts";
import type { Settings } from "./gen/apache/rocketmq/v2/definition_pb.ts";

/**
 * Times that a group lends a message before RocketMQ itself would put it aside (D2). Not the largest number: the broker adds one to it.
 */
export const NO_LIMIT = 1_000_000_000;
/** A billion, or what somebody thought to be as good. */
const AS_GOOD_AS_NONE = 1_000_000;
/** What we say to a proxy that cannot look at a group: no limit, and by one more than that of the groups that we make, so that it is known when it comes back. */
export const UNSEEN_ATTEMPTS = NO_LIMIT + 2;

export interface GroupShape {
  readonly orderly: boolean;
  readonly limit: number;
}

/** The broker itself puts messages of this group aside, after so many deliveries. */
export const hasLimit = ({ limit }: GroupShape): boolean => limit < AS_GOOD_AS_NONE;

/** Why a group of this shape cannot be read. Undefined: it can. */
export function misfit(group: string, ordered: boolean, shape: GroupShape): PubSubError | undefined {
  if (hasLimit(shape)) return refused(limitOf(group, shape).join(" "));
  const { orderly } = shape;
  if (ordered && !orderly) return refused(`the group ${group} is not orderly: order needs ${commandOf(group, true)}`);
  if (ordered || !orderly) return undefined;
  const why = `the group ${group} is orderly, and this subscription wants no order: each message would wait for those before it in its queue`;
  return refused(`${why}; subscribe with order: key, or use another group`);
}

/** The same by what a proxy tells its readers. */
export function unfit(group: string, ordered: boolean, { backoffPolicy, pubSub }: Settings): PubSubError | undefined {
  const orderly = pubSub.case === "subscription" && pubSub.value.fifo === true;
  return misfit(group, ordered, { orderly, limit: (backoffPolicy?.maxAttempts ?? Number.POSITIVE_INFINITY) - 1 });
}

/** Where nobody else can tell: the proxy has not seen the group, and only gives back what we said. */
export function unseen(group: string, ordered: boolean, { backoffPolicy }: Settings): PubSubError | undefined {
  if (backoffPolicy?.maxAttempts !== UNSEEN_ATTEMPTS) return undefined;
  const remedy = `where it is missing, make it with ${commandOf(group, ordered)}`;
  return new PubSubError("not_found", `the proxy does not find the group ${group}, or no broker that it could ask: ${remedy}`);
}

/** What a limit of RocketMQ's own does, and against it. */
export const limitOf = (group: string, { limit, orderly }: GroupShape): readonly [found: string, remedy: string] => [
  `The group ${group} gives a message ${limit + 1} times at most, crashes included; then RocketMQ takes it out of the topic into %DLQ%${group}.`,
  commandOf(group, orderly),
];

const commandOf = (group: string, orderly: boolean): string => `mqadmin updateSubGroup -c CLUSTER -g ${group} -o ${orderly} -r ${NO_LIMIT}`;

const refused = (message: string): PubSubError => new PubSubError("failed_precondition", message, { permanent: true });
