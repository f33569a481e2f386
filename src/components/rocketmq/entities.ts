import { PubSubError } from "../../pubsub/error.ts";
import type { Start, SubscribeRequest } from "../../pubsub/subscription.ts";
import type { HostPort, RocketmqOptions } from "./config.ts";
import type { Settings } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { Answer, type Remoting, RemotingError, Request, readJson, withRemoting } from "./remoting.ts";
import type { Credentials } from "./signature.ts";

/**
 * Times that a group lends a message before RocketMQ itself would put it aside (D2). Not the largest number: the broker adds one to it.
 */
export const NO_LIMIT = 1_000_000_000;
/** A billion, or what somebody thought to be as good. */
const AS_GOOD_AS_NONE = 1_000_000;
/** It is begun last. */
const FIRST_QUEUE = 0;
/** The topic in which a group finds again what it has not settled; a name that is too long would keep that from it for good. */
const LONGEST_TOPIC = 127;

type TopicType = "NORMAL" | "FIFO" | "DELAY" | "MIXED" | "TRANSACTION";

interface TopicShape {
  readonly type: TopicType;
  readonly queues: number;
}

interface GroupShape {
  readonly orderly: boolean;
  readonly limit: number;
}

/** Topics and groups, over the protocol that can make them. Without a name server nothing is made or checked here. */
export class Entities {
  readonly #options: RocketmqOptions;
  readonly #credentials: Credentials | undefined;

  constructor(options: RocketmqOptions) {
    this.#options = options;
    const { accessKey, secretKey, securityToken } = options;
    this.#credentials = accessKey && secretKey ? { accessKey, secretKey, ...(securityToken && { securityToken }) } : undefined;
  }

  /** Brokers can be asked. */
  get reachable(): boolean {
    return this.#options.nameServers.length > 0;
  }

  /** What is missing may be made. */
  get managed(): boolean {
    return this.reachable && this.#options.entityManagement;
  }

  /** Does something on each broker that takes messages. Where it fails on one it is over on the others all the same. */
  async eachBroker<T>(signal: AbortSignal, work: (broker: Remoting) => Promise<T>): Promise<readonly T[]> {
    return this.#onEach(await this.#brokers(signal), signal, work);
  }

  async #onEach<T>(brokers: readonly HostPort[], signal: AbortSignal, work: (broker: Remoting) => Promise<T>): Promise<readonly T[]> {
    return allOf(await this.#tryEach(brokers, signal, work));
  }

  #tryEach<T>(
    brokers: readonly HostPort[],
    signal: AbortSignal,
    work: (broker: Remoting) => Promise<T>,
  ): Promise<readonly PromiseSettledResult<T>[]> {
    return Promise.allSettled(brokers.map((broker) => withRemoting(broker, this.#credentials, signal, work)));
  }

  /**
   * Makes the topic if no broker that answers has it. One that some have is not made at the others: whatever its shape, more queues would move its
   * keys.
   */
  async ensureTopic(topic: string, ordered: boolean, signal: AbortSignal): Promise<void> {
    const type = ordered ? "FIFO" : (this.#options.topicType.toUpperCase() as TopicType);
    const brokers = await this.#brokers(signal);
    // One that is silent leaves time to make it at the others.
    const late = AbortSignal.timeout(this.#options.requestTimeout / 2);
    const asked = await this.#tryEach(brokers, AbortSignal.any([signal, late]), (broker) => topicShape(broker, topic));
    const found = asked.flatMap((one) => (one.status === "fulfilled" && one.value) || []);
    const other = found.find((shape) => shape.type !== "FIFO" && shape.type !== "MIXED");
    if (ordered && other) throw notFifo(topic, other.type);
    if (found.length === 0) {
      const answering = brokers.filter((_, index) => asked[index]?.status === "fulfilled");
      await this.#onEach(answering, signal, (broker) => this.#makeTopic(broker, topic, type));
    }
    allOf(asked);
  }

  /**
   * Makes the group where it is missing, and lets it begin on each queue that it has not begun to read: where it wants to if it is new, and else at the
   * queue's beginning, since the queue was made later. The first queue is begun when all others are: by it a group that others are about to begin is new.
   */
  async ensureGroup(request: SubscribeRequest, group: string, signal: AbortSignal): Promise<void> {
    const { topic, order, start } = request;
    checkNames(topic, group);
    const brokers = await this.#brokers(signal);
    const begun = await this.#onEach(brokers, signal, async (broker) => {
      const found = (await groupShapes(broker, [group])).get(group);
      if (found === undefined) await makeGroup(broker, group, order !== "none");
      else if (hasLimit(found)) throw limited(group, found);
      else if (order !== "none" && !found.orderly) throw notOrderly(group);
      return hasBegun(broker, topic, group, FIRST_QUEUE);
    });
    const from = begun.includes(true) ? "earliest" : start;
    for (const first of [false, true]) {
      await this.#onEach(brokers, signal, async (broker) => {
        const shape = await topicShape(broker, topic);
        const queues = Array.from({ length: shape?.queues ?? 0 }, (_, queue) => queue).filter((queue) => (queue === FIRST_QUEUE) === first);
        await Promise.all(queues.map((queue) => begin(broker, topic, group, queue, from)));
      });
    }
  }

  /** Messages of the topic that no reader of the group was given yet, or that wait to be given again. */
  async unread(topic: string, group: string, signal: AbortSignal): Promise<number> {
    const counts = await this.eachBroker(signal, (broker) =>
      Promise.all([topic, retryTopic(topic, group)].map((one) => unreadOf(broker, one, group))),
    );
    return counts.flat().reduce((sum, count) => sum + count, 0);
  }

  async #makeTopic(broker: Remoting, topic: string, type: TopicType): Promise<void> {
    const queues = String(this.#options.topicQueues);
    const shape = { readQueueNums: queues, writeQueueNums: queues, perm: "6", topicFilterType: "SINGLE_TAG", topicSysFlag: "0" };
    const attributes = `+message.type=${type}`;
    await broker.request(Request.updateTopic, { topic, defaultTopic: "TBW102", ...shape, order: String(type === "FIFO"), attributes });
  }

  /** All name servers are asked at once: one that is silent would use up the time of the others. */
  async #brokers(signal: AbortSignal): Promise<readonly HostPort[]> {
    const known = new AbortController();
    const enough = AbortSignal.any([signal, known.signal]);
    const ask = async (nameServer: HostPort) =>
      masters((await withRemoting(nameServer, this.#credentials, enough, (server) => server.request(Request.brokerCluster, {}))).body);
    try {
      return await Promise.any(this.#options.nameServers.map(ask));
    } catch (error) {
      const { errors } = error as AggregateError;
      throw errors.find((one) => !(one instanceof PubSubError)) ?? errors.at(-1);
    } finally {
      known.abort();
    }
  }
}

/** What all came to, or the first error. */
function allOf<T>(done: readonly PromiseSettledResult<T>[]): readonly T[] {
  return done.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}

interface ClusterInfo {
  readonly brokerAddrTable?: Readonly<Record<string, { readonly brokerAddrs: Readonly<Record<string, string>> }>>;
}

function masters(body: string): readonly HostPort[] {
  const { brokerAddrTable = {} } = readJson(body) as ClusterInfo;
  const addresses = Object.values(brokerAddrTable).flatMap(({ brokerAddrs }) => brokerAddrs["0"] ?? []);
  if (addresses.length === 0) throw new PubSubError("unavailable", "the name server knows no broker that takes messages");
  return addresses.map((address) => {
    const at = address.lastIndexOf(":");
    return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
  });
}

interface TopicConfig {
  readonly readQueueNums: number;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Undefined: the broker has no such topic. */
async function topicShape(broker: Remoting, topic: string): Promise<TopicShape | undefined> {
  const body = await unlessMissing(broker.request(Request.topicConfig, { topic }), Answer.topicNotExist);
  if (body === undefined) return undefined;
  const { readQueueNums, attributes } = readJson(body) as TopicConfig;
  return { queues: readQueueNums, type: (attributes?.["message.type"] ?? "NORMAL") as TopicType };
}

async function unreadOf(broker: Remoting, topic: string, consumerGroup: string): Promise<number> {
  const { body } = await broker.request(Request.consumeStats, { consumerGroup, topic });
  let unread = 0;
  // No JSON: its maps have objects for keys.
  for (const [, stored, read] of body.matchAll(/"brokerOffset":(\d+),"consumerOffset":(-?\d+)/g)) {
    unread += Math.max(0, Number(stored) - Math.max(0, Number(read)));
  }
  return unread;
}

interface GroupConfig {
  readonly consumeMessageOrderly: boolean;
  readonly retryMaxTimes: number;
}

/** Of each of these groups that the broker has. All are asked for: to ask for one may make it, with a limit. */
export async function groupShapes(broker: Remoting, groups: readonly string[]): Promise<ReadonlyMap<string, GroupShape>> {
  const { body } = await broker.request(Request.allGroups, {});
  const { subscriptionGroupTable: table } = readJson(body) as { readonly subscriptionGroupTable: Readonly<Record<string, GroupConfig>> };
  const shapes = new Map<string, GroupShape>();
  for (const group of groups) {
    const found = Object.hasOwn(table, group) ? table[group] : undefined;
    if (found) shapes.set(group, { orderly: found.consumeMessageOrderly, limit: found.retryMaxTimes });
  }
  return shapes;
}

/** The broker itself puts messages of this group aside, after so many deliveries. */
export const hasLimit = ({ limit }: GroupShape): boolean => limit < AS_GOOD_AS_NONE;

async function makeGroup(broker: Remoting, groupName: string, orderly: boolean): Promise<void> {
  const open = { consumeEnable: true, consumeFromMinEnable: true, consumeBroadcastEnable: true, notifyConsumerIdsChangedEnable: true };
  const shape = {
    consumeMessageOrderly: orderly,
    retryQueueNums: 1,
    retryMaxTimes: NO_LIMIT,
    brokerId: 0,
    whichBrokerWhenConsumeSlowly: 1,
  };
  await broker.request(Request.updateGroup, {}, JSON.stringify({ groupName, ...open, ...shape }));
}

async function hasBegun(broker: Remoting, topic: string, consumerGroup: string, queue: number): Promise<boolean> {
  const reading = { topic, queueId: String(queue), consumerGroup, setZeroIfNotFound: "false" };
  return (await unlessMissing(broker.request(Request.queryConsumerOffset, reading), Answer.noOffset)) !== undefined;
}

async function begin(broker: Remoting, topic: string, group: string, queue: number, start: Start): Promise<void> {
  if (await hasBegun(broker, topic, group, queue)) return;
  const place = { topic, queueId: String(queue) };
  const { fields } =
    start === "latest"
      ? await broker.request(Request.maxOffset, place)
      : typeof start === "object" && "time" in start
        ? await broker.request(Request.offsetByTime, { ...place, timestamp: String(start.time) })
        : await broker.request(Request.minOffset, place);
  await broker.request(Request.updateConsumerOffset, { ...place, consumerGroup: group, commitOffset: fields.offset ?? "0" });
}

async function unlessMissing(asked: Promise<{ readonly body: string }>, missing: number): Promise<string | undefined> {
  try {
    return (await asked).body;
  } catch (error) {
    if (error instanceof RemotingError && error.answer === missing) return undefined;
    throw error;
  }
}

const retryTopic = (topic: string, group: string): string => `%RETRY%${group}_${topic}`;

export function checkNames(topic: string, group: string): void {
  const { length } = retryTopic(topic, group);
  if (length <= LONGEST_TOPIC) return;
  const why = `RocketMQ would need a topic of ${length} characters for what the group ${group} has to get again of ${topic}, and it has at most ${LONGEST_TOPIC}`;
  throw new PubSubError("invalid_argument", `${why}: choose shorter names`, { permanent: true });
}

export const notFifo = (topic: string, type: string): PubSubError =>
  new PubSubError(
    "failed_precondition",
    `the topic ${topic} is of type ${type}, and order needs one of type FIFO: make another with mqadmin updateTopic -c CLUSTER -t TOPIC -o true -a +message.type=FIFO`,
    { permanent: true },
  );

/** What a limit of RocketMQ's own does, and against it. */
export const limitOf = (group: string, { limit, orderly }: GroupShape): readonly [found: string, remedy: string] => [
  `The group ${group} gives a message ${limit + 1} times at most, crashes included; then RocketMQ takes it out of the topic into %DLQ%${group}.`,
  `mqadmin updateSubGroup -c CLUSTER -g ${group} -o ${orderly} -r ${NO_LIMIT}`,
];

/** Why a group cannot be read, by what a proxy tells its readers: where the brokers themselves are not asked. Undefined: it can. */
export function unfit(group: string, ordered: boolean, { backoffPolicy, pubSub }: Settings): PubSubError | undefined {
  const orderly = pubSub.case === "subscription" && pubSub.value.fifo === true;
  if (ordered && !orderly) return notOrderly(group);
  const shape = { orderly, limit: (backoffPolicy?.maxAttempts ?? Number.POSITIVE_INFINITY) - 1 };
  return hasLimit(shape) ? limited(group, shape) : undefined;
}

const limited = (group: string, shape: GroupShape): PubSubError =>
  new PubSubError("failed_precondition", limitOf(group, shape).join(" "), { permanent: true });

const notOrderly = (group: string): PubSubError =>
  new PubSubError(
    "failed_precondition",
    `the group ${group} is not orderly: order needs mqadmin updateSubGroup -c CLUSTER -g ${group} -o true -r ${NO_LIMIT}`,
    { permanent: true },
  );
