import { PubSubError } from "../../pubsub/error.ts";
import type { Start, SubscribeRequest } from "../../pubsub/subscription.ts";
import type { HostPort, RocketmqOptions } from "./config.ts";
import { type GroupShape, misfit, NO_LIMIT } from "./group-shape.ts";
import { NameServers } from "./name-servers.ts";
import { Answer, type Remoting, Request, readJson, unlessMissing, withRemoting } from "./remoting.ts";
import type { Credentials } from "./signature.ts";

/** It is begun last. */
const FIRST_QUEUE = 0;
/** The topic in which a group finds again what it has not settled; a name that is too long would keep that from it for good. */
const LONGEST_TOPIC = 127;

type TopicType = "NORMAL" | "FIFO" | "DELAY" | "MIXED" | "TRANSACTION";

interface TopicShape {
  readonly type: TopicType;
  readonly queues: number;
}

/** Topics and groups, over the protocol that can make them. Without a name server nothing is made or checked here. */
export class Entities {
  readonly #options: RocketmqOptions;
  readonly #credentials: Credentials | undefined;
  readonly #nameServers: NameServers;

  constructor(options: RocketmqOptions) {
    this.#options = options;
    const { accessKey, secretKey, securityToken } = options;
    this.#credentials = accessKey && secretKey ? { accessKey, secretKey, ...(securityToken && { securityToken }) } : undefined;
    this.#nameServers = new NameServers(options.nameServers, this.#credentials, options.requestTimeout / 6);
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
    return this.#onEach(await this.#nameServers.brokers(signal), signal, work);
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
   * Makes the topic if no broker that answers has it, and no other does that the name servers know. One that some have is not made at the others:
   * whatever its shape, more queues would move its keys. `had`: it was there before, and whoever has it is only away.
   */
  async ensureTopic(topic: string, ordered: boolean, had: boolean, signal: AbortSignal): Promise<void> {
    const type = ordered ? "FIFO" : (this.#options.topicType.toUpperCase() as TopicType);
    const brokers = await this.#nameServers.brokers(signal);
    let asked = await this.#shapes(brokers, topic, signal);
    if (foundBy(asked).length === 0) {
      if (!had && !(await this.#nameServers.lead(topic, this.#soon(signal)))) {
        const answering = brokers.filter((_, index) => asked[index]?.status === "fulfilled");
        await this.#onEach(answering, signal, (broker) => this.#makeTopic(broker, topic, type));
      } else {
        // Another sidecar may have made it just now.
        asked = await this.#shapes(brokers, topic, signal);
        if (foundBy(asked).length === 0) throw holdersAway(topic);
      }
    }
    const other = foundBy(asked).find((shape) => shape.type !== "FIFO" && shape.type !== "MIXED");
    if (ordered && other) throw notFifo(topic, other.type);
    allOf(asked);
  }

  #shapes(
    brokers: readonly HostPort[],
    topic: string,
    signal: AbortSignal,
  ): Promise<readonly PromiseSettledResult<TopicShape | undefined>[]> {
    return this.#tryEach(brokers, this.#soon(signal), (broker) => topicShape(broker, topic));
  }

  /** Who is silent leaves time to ask others, and to make the topic. */
  #soon(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(this.#options.requestTimeout / 3))]);
  }

  /**
   * Makes the group where it is missing, and lets it begin on each queue that it has not begun to read: where it wants to if it is new, and else at the
   * queue's beginning, since the queue was made later. The first queue is begun when all others are: by it a group that others are about to begin is new.
   */
  async ensureGroup(request: SubscribeRequest, group: string, signal: AbortSignal): Promise<void> {
    const { topic, order, start } = request;
    checkNames(topic, group);
    const brokers = await this.#nameServers.brokers(signal);
    const begun = await this.#onEach(brokers, signal, async (broker) => {
      const found = (await groupShapes(broker, [group])).get(group);
      if (found === undefined) await makeGroup(broker, group, order !== "none");
      const error = found && misfit(group, order !== "none", found);
      if (error) throw error;
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
}

/** What all came to, or the first error. */
function allOf<T>(done: readonly PromiseSettledResult<T>[]): readonly T[] {
  return done.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}

const foundBy = (asked: readonly PromiseSettledResult<TopicShape | undefined>[]): readonly TopicShape[] =>
  asked.flatMap((one) => (one.status === "fulfilled" && one.value) || []);

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
  const place = { topic, queueId: String(queue) };
  // First where it would begin: had another replica begun meanwhile, a later end of the queue would skip what that one has not read.
  const { fields } =
    start === "latest"
      ? await broker.request(Request.maxOffset, place)
      : typeof start === "object" && "time" in start
        ? await broker.request(Request.offsetByTime, { ...place, timestamp: String(start.time) })
        : await broker.request(Request.minOffset, place);
  if (await hasBegun(broker, topic, group, queue)) return;
  await broker.request(Request.updateConsumerOffset, { ...place, consumerGroup: group, commitOffset: fields.offset ?? "0" });
}

const retryTopic = (topic: string, group: string): string => `%RETRY%${group}_${topic}`;

export function checkNames(topic: string, group: string): void {
  const { length } = retryTopic(topic, group);
  if (length <= LONGEST_TOPIC) return;
  const why = `RocketMQ would need a topic of ${length} characters for what the group ${group} has to get again of ${topic}, and it has at most ${LONGEST_TOPIC}`;
  throw new PubSubError("invalid_argument", `${why}: choose shorter names`, { permanent: true });
}

export const holdersAway = (topic: string, cause?: unknown): PubSubError =>
  new PubSubError(
    "unavailable",
    `the topic ${topic} exists, and no broker that answers now has it: it is not made at others, since whoever has it may come back. If it was deleted, make it with mqadmin updateTopic -c CLUSTER -t ${topic}`,
    { cause },
  );

export const notFifo = (topic: string, type: string): PubSubError =>
  new PubSubError(
    "failed_precondition",
    `the topic ${topic} is of type ${type}, and order needs one of type FIFO: make another with mqadmin updateTopic -c CLUSTER -t TOPIC -o true -a +message.type=FIFO`,
    { permanent: true },
  );
