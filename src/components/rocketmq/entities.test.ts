import { expect, test } from "vitest";
import { freePort } from "../../../test/brokers/server.ts";
import type { Order, Start, SubscribeRequest } from "../../pubsub/subscription.ts";
import { rocketmqOptions } from "./config.ts";
import { Entities } from "./entities.ts";
import { NO_LIMIT } from "./group-shape.ts";
import { MAX, MIN, PlayedBroker } from "./played-broker.fixture.ts";
import { opened } from "./played-component.fixture.ts";
import { type Fields, nameServerOf, PlayedRemoting } from "./played-remoting.fixture.ts";
import { Answer, Request } from "./remoting.ts";

/** A group begins to read at these brokers. */
const begin = (start: Start, ...brokers: readonly PlayedBroker[]): Promise<void> => beginIn("none", start, ...brokers);

async function beginIn(order: Order, start: Start, ...brokers: readonly PlayedBroker[]): Promise<void> {
  const places = Object.fromEntries(
    await Promise.all(brokers.map(async ({ remoting }, index) => [`b${index}`, (await opened(remoting)).place])),
  );
  const names = await opened(nameServerOf(() => places));
  const entities = new Entities(rocketmqOptions.parse({ endpoints: "proxy:1", nameServer: names.place }));
  const request: SubscribeRequest = { topic: "t", group: "g", start, order, options: {} };
  await entities.ensureGroup(request, "g", AbortSignal.timeout(10_000));
}

const where = (broker: PlayedBroker) => broker.where;

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

test("a group that another replica begins at the same time skips nothing that came meanwhile", async () => {
  const broker = new PlayedBroker(2);
  let asked = 0;
  broker.answered = (code, queue) => {
    // Between the two questions of ours: it begins, and messages come.
    if (queue !== 1 || code === Request.updateConsumerOffset || ++asked !== 1) return;
    broker.offsets.set(queue, MAX);
    broker.max = MAX + 5;
  };
  await begin("latest", broker);
  expect(broker.offsets.get(1)).toBe(MAX);
});

test("a group that is orderly is not read without order, nor one that is not with it", async () => {
  const [orderly, other] = [new PlayedBroker(2), new PlayedBroker(2)];
  orderly.groups.g = { consumeMessageOrderly: true, retryMaxTimes: NO_LIMIT };
  other.groups.g = { consumeMessageOrderly: false, retryMaxTimes: NO_LIMIT };
  const refused = (message: string) => ({ code: "failed_precondition", permanent: true, message: expect.stringContaining(message) });
  await expect(beginIn("none", "latest", orderly)).rejects.toMatchObject(refused("subscribe with order: key, or use another group"));
  await expect(beginIn("key", "latest", other)).rejects.toMatchObject(refused("-g g -o true"));
  expect([where(orderly), where(other)]).toEqual([[], []]);
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

/** Those that know the brokers at these places, and that these topics have a route. */
async function entitiesOf(
  places: Readonly<Record<string, string>>,
  options: object = {},
  routed: readonly string[] = [],
): Promise<Entities> {
  const names = await opened(
    nameServerOf(
      () => places,
      () => routed,
    ),
  );
  return new Entities(rocketmqOptions.parse({ endpoints: "proxy:1", nameServer: names.place, ...options }));
}

const soon = () => AbortSignal.timeout(5_000);
const types = (holder: Holder) => holder.made.map(({ attributes }) => attributes);

test("a topic that one broker has is not made at another in another shape, nor at all", async () => {
  const [has, lacks] = [new Holder("FIFO"), new Holder()];
  const entities = await entitiesOf({ a: (await opened(has.remoting)).place, b: (await opened(lacks.remoting)).place });
  await entities.ensureTopic("t", false, false, soon());
  await entities.ensureTopic("t", true, false, soon());
  expect([has.made, lacks.made]).toEqual([[], []]);
});

test("a topic that one broker has without order is refused to a reader in order, and not made at another", async () => {
  const [has, lacks] = [new Holder("NORMAL"), new Holder()];
  const entities = await entitiesOf({ a: (await opened(lacks.remoting)).place, b: (await opened(has.remoting)).place });
  await expect(entities.ensureTopic("t", true, false, soon())).rejects.toMatchObject({ code: "failed_precondition", permanent: true });
  expect([has.made, lacks.made]).toEqual([[], []]);
});

test("a topic that no broker has and no name server knows is made at all that answer, be another gone or silent: which is told", async () => {
  const silent = await opened(new PlayedRemoting(() => undefined));
  for (const absent of [`127.0.0.1:${await freePort()}`, silent.place]) {
    const [one, other] = [new Holder(), new Holder()];
    const places = { a: absent, b: (await opened(one.remoting)).place, c: (await opened(other.remoting)).place };
    const entities = await entitiesOf(places, { requestTimeout: "400ms" });
    await expect(entities.ensureTopic("t", true, false, soon())).rejects.toMatchObject({ permanent: false });
    expect([types(one), types(other)]).toEqual([["+message.type=FIFO"], ["+message.type=FIFO"]]);
  }
});

test("a topic that the name server knows, or that was there before, is made nowhere while whoever has it is gone, silent or a slave", async () => {
  const silent = await opened(new PlayedRemoting(() => undefined));
  for (const absent of [{ a: `127.0.0.1:${await freePort()}` }, { a: silent.place }, {}]) {
    const other = new Holder();
    const places = { ...absent, b: (await opened(other.remoting)).place };
    const away = { code: "unavailable", permanent: false, message: expect.stringContaining("is not made at others") };
    await expect(
      (await entitiesOf(places, { requestTimeout: "400ms" }, ["t"])).ensureTopic("t", true, false, soon()),
    ).rejects.toMatchObject(away);
    await expect((await entitiesOf(places, { requestTimeout: "400ms" })).ensureTopic("t", true, true, soon())).rejects.toMatchObject(away);
    expect(types(other)).toEqual([]);
  }
});

test("a topic that another sidecar has made just now is there, and made by nobody else", async () => {
  const made: number[] = [];
  let asked = 0;
  const broker = new PlayedRemoting((code) => {
    if (code === Request.updateTopic) made.push(code);
    if (code !== Request.topicConfig) return {};
    return ++asked === 1 ? { code: Answer.topicNotExist } : { body: JSON.stringify({ readQueueNums: 8 }) };
  });
  await (await entitiesOf({ b: (await opened(broker)).place }, {}, ["t"])).ensureTopic("t", false, false, soon());
  expect(made).toEqual([]);
});

test("of several name servers one that has just begun does not make a topic new that another knows, and none that can tell makes none", async () => {
  const broker = new Holder();
  const places = { b: (await opened(broker.remoting)).place };
  const [fresh, knows] = [
    await opened(nameServerOf(() => places)),
    await opened(
      nameServerOf(
        () => places,
        () => ["t"],
      ),
    ),
  ];
  const unready = await opened(new PlayedRemoting((code) => (code === Request.topicRoute ? { code: 1 } : fresh.reply(code, {}, ""))));
  for (const nameServer of [`${fresh.place};${knows.place}`, unready.place]) {
    const entities = new Entities(rocketmqOptions.parse({ endpoints: "proxy:1", nameServer }));
    await expect(entities.ensureTopic("t", false, false, soon())).rejects.toMatchObject({ permanent: false });
  }
  expect(types(broker)).toEqual([]);
});

test("a group is made at the brokers that any of the name servers knows", async () => {
  const brokers = [new PlayedBroker(2), new PlayedBroker(3)];
  const names = await Promise.all(
    brokers.map(async ({ remoting }, index) => {
      const { place } = await opened(remoting);
      return (await opened(nameServerOf(() => ({ [`b${index}`]: place })))).place;
    }),
  );
  const entities = new Entities(rocketmqOptions.parse({ endpoints: "proxy:1", nameServer: names.join(";") }));
  const request: SubscribeRequest = { topic: "t", group: "g", start: "earliest", order: "none", options: {} };
  await entities.ensureGroup(request, "g", soon());
  expect(brokers.map(where)).toEqual([
    [MIN, MIN],
    [MIN, MIN, MIN],
  ]);
});

test("a name server that says nothing does not keep the time of the others", async () => {
  const silent = await opened(new PlayedRemoting(() => undefined));
  const [topics, groups] = [new Holder(), new PlayedBroker(2)];
  const entitiesAt = async (broker: PlayedRemoting) => {
    const { place } = await opened(broker);
    const names = await opened(nameServerOf(() => ({ b: place })));
    return new Entities(
      rocketmqOptions.parse({ endpoints: "proxy:1", nameServer: `${silent.place};${names.place}`, requestTimeout: "400ms" }),
    );
  };
  await (await entitiesAt(topics.remoting)).ensureTopic("t", false, false, soon());
  const request: SubscribeRequest = { topic: "t", group: "g", start: "earliest", order: "none", options: {} };
  await (await entitiesAt(groups.remoting)).ensureGroup(request, "g", soon());
  expect([types(topics), where(groups)]).toEqual([["+message.type=NORMAL"], [MIN, MIN]]);
});
