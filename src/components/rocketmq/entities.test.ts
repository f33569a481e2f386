import { expect, test } from "vitest";
import { freePort } from "../../../test/brokers/server.ts";
import type { Start, SubscribeRequest } from "../../pubsub/subscription.ts";
import { rocketmqOptions } from "./config.ts";
import { Entities } from "./entities.ts";
import { opened } from "./played-component.fixture.ts";
import { type Fields, nameServerOf, PlayedRemoting, type PlayedReply } from "./played-remoting.fixture.ts";
import { Answer, Request } from "./remoting.ts";

const MIN = 10;
const MAX = 99;

/** A broker that has the topic and no groups, and keeps where they are. */
class PlayedBroker {
  /** By the queue's number. */
  readonly offsets = new Map<number, number>();
  /** What was asked and what was answered, of the requests that write; one for all brokers of a test. */
  readonly #log: string[];
  readonly remoting: PlayedRemoting;
  readonly #queues: number;

  constructor(queues: number, log: string[] = []) {
    this.#queues = queues;
    this.#log = log;
    this.remoting = new PlayedRemoting((code, fields, body) => this.#answer(code, fields, body));
  }

  async #answer(code: number, fields: Fields, body: string): Promise<PlayedReply> {
    const queue = Number(fields.queueId);
    switch (code) {
      case Request.allGroups:
        return { body: JSON.stringify({ subscriptionGroupTable: {} }) };
      case Request.updateGroup:
        this.#log.push(`group ${JSON.parse(body).groupName}`);
        return {};
      case Request.topicConfig:
        return { body: JSON.stringify({ readQueueNums: this.#queues }) };
      case Request.queryConsumerOffset:
        return this.offsets.has(queue) ? { fields: { offset: String(this.offsets.get(queue)) } } : { code: Answer.noOffset };
      case Request.minOffset:
        return { fields: { offset: String(MIN) } };
      case Request.maxOffset:
        return { fields: { offset: String(MAX) } };
      case Request.updateConsumerOffset:
        this.#log.push(`writes ${queue}`);
        await new Promise((resolve) => setImmediate(resolve));
        this.offsets.set(queue, Number(fields.commitOffset));
        this.#log.push(`wrote ${queue}`);
        return {};
      default:
        throw new Error(`request ${code} is not played`);
    }
  }
}

/** A group begins to read at these brokers. */
async function begin(start: Start, ...brokers: readonly PlayedBroker[]): Promise<void> {
  const places = Object.fromEntries(
    await Promise.all(brokers.map(async ({ remoting }, index) => [`b${index}`, (await opened(remoting)).place])),
  );
  const names = await opened(nameServerOf(() => places));
  const entities = new Entities(rocketmqOptions.parse({ endpoints: "proxy:1", nameServer: names.place }));
  const request: SubscribeRequest = { topic: "t", group: "g", start, order: "none", options: {} };
  await entities.ensureGroup(request, "g", AbortSignal.timeout(10_000));
}

const where = ({ offsets }: PlayedBroker) => [...offsets].sort(([a], [b]) => a - b).map(([, offset]) => offset);

test("a group that is new begins where the subscription says", async () => {
  const [latest, earliest] = [new PlayedBroker(2), new PlayedBroker(2)];
  await begin("latest", latest);
  await begin("earliest", earliest);
  expect([where(latest), where(earliest)]).toEqual([
    [MAX, MAX],
    [MIN, MIN],
  ]);
});

test("queues that a group did not have when it began are read from their beginning: nothing is passed over", async () => {
  const [before, added] = [new PlayedBroker(3), new PlayedBroker(2)];
  before.offsets.set(0, 50).set(1, 51);
  await begin("latest", before, added);
  expect([where(before), where(added)]).toEqual([
    [50, 51, MIN],
    [MIN, MIN],
  ]);
});

test("the first queue is begun when all others are, on all brokers: who begins at the same time does not take them for new", async () => {
  const log: string[] = [];
  await begin("latest", new PlayedBroker(3, log), new PlayedBroker(3, log));
  const first = log.indexOf("writes 0");
  expect(
    log
      .slice(0, first)
      .filter((line) => line.startsWith("wrote"))
      .sort(),
  ).toEqual(["wrote 1", "wrote 1", "wrote 2", "wrote 2"]);
  expect(log.slice(first).filter((line) => line.startsWith("wrote"))).toEqual(["wrote 0", "wrote 0"]);
});

/** A broker that has the topic in this shape, or has it not; and what it was told to make. */
class Holder {
  readonly made: Fields[] = [];
  readonly remoting: PlayedRemoting;

  constructor(type?: string) {
    this.remoting = new PlayedRemoting((code, fields) => {
      if (code === Request.updateTopic) this.made.push(fields);
      if (code !== Request.topicConfig) return {};
      if (type === undefined) return { code: Answer.topicNotExist };
      return { body: JSON.stringify({ readQueueNums: 8, attributes: { "message.type": type } }) };
    });
  }
}

/** Those that know the brokers at these places. */
async function entitiesOf(places: Readonly<Record<string, string>>, options: object = {}): Promise<Entities> {
  const names = await opened(nameServerOf(() => places));
  return new Entities(rocketmqOptions.parse({ endpoints: "proxy:1", nameServer: names.place, ...options }));
}

const soon = () => AbortSignal.timeout(5_000);
const types = (holder: Holder) => holder.made.map(({ attributes }) => attributes);

test("a topic that one broker has is not made at another in another shape, nor at all", async () => {
  const [has, lacks] = [new Holder("FIFO"), new Holder()];
  const entities = await entitiesOf({ a: (await opened(has.remoting)).place, b: (await opened(lacks.remoting)).place });
  await entities.ensureTopic("t", false, soon());
  await entities.ensureTopic("t", true, soon());
  expect([has.made, lacks.made]).toEqual([[], []]);
});

test("a topic that one broker has without order is refused to a reader in order, and not made at another", async () => {
  const [has, lacks] = [new Holder("NORMAL"), new Holder()];
  const entities = await entitiesOf({ a: (await opened(lacks.remoting)).place, b: (await opened(has.remoting)).place });
  await expect(entities.ensureTopic("t", true, soon())).rejects.toMatchObject({ code: "failed_precondition", permanent: true });
  expect([has.made, lacks.made]).toEqual([[], []]);
});

test("a topic that no broker has is made at all that answer, be another gone or silent: which is told", async () => {
  const silent = await opened(new PlayedRemoting(() => undefined));
  for (const absent of [`127.0.0.1:${await freePort()}`, silent.place]) {
    const [one, other] = [new Holder(), new Holder()];
    const places = { a: absent, b: (await opened(one.remoting)).place, c: (await opened(other.remoting)).place };
    const entities = await entitiesOf(places, { requestTimeout: "400ms" });
    await expect(entities.ensureTopic("t", true, soon())).rejects.toMatchObject({ permanent: false });
    expect([types(one), types(other)]).toEqual([["+message.type=FIFO"], ["+message.type=FIFO"]]);
  }
});

test("a name server that says nothing does not keep the time of the others", async () => {
  const silent = await opened(new PlayedRemoting(() => undefined));
  const [topics, groups] = [new Holder(), new PlayedBroker(2)];
  const entitiesAt = async (broker: PlayedRemoting) => {
    const { place } = await opened(broker);
    const names = await opened(nameServerOf(() => ({ b: place })));
    return new Entities(rocketmqOptions.parse({ endpoints: "proxy:1", nameServer: `${silent.place};${names.place}` }));
  };
  await (await entitiesAt(topics.remoting)).ensureTopic("t", false, soon());
  const request: SubscribeRequest = { topic: "t", group: "g", start: "earliest", order: "none", options: {} };
  await (await entitiesAt(groups.remoting)).ensureGroup(request, "g", soon());
  expect([types(topics), where(groups)]).toEqual([["+message.type=NORMAL"], [MIN, MIN]]);
});
