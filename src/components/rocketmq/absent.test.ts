import { describe, expect, test } from "vitest";
import { freePort } from "../../../test/brokers/server.ts";
import { Recorder } from "../../conformance/recorder.ts";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { Code, MessageType } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { definition } from "./index.ts";
import { MAX, MIN, PlayedBroker } from "./played-broker.fixture.ts";
import { component, opened } from "./played-component.fixture.ts";
import { PlayedProxy } from "./played-proxy.fixture.ts";
import { nameServerOf, PlayedRemoting } from "./played-remoting.fixture.ts";
import { PlayedServer } from "./played-server.fixture.ts";
import { Answer, Request } from "./remoting.ts";
import { Routes } from "./routes.ts";

function publish(pubsub: PubSub, topic: string): Promise<PubSubError | undefined> {
  return new Promise((resolve) => {
    pubsub.publish([{ topic, data: Buffer.from("a"), attributes: {}, done: resolve }], AbortSignal.timeout(10_000));
  });
}

describe("a topic that exists is published to although nobody can be asked about it:", () => {
  const silent = () => new PlayedRemoting(() => undefined);

  test("no name server is there", async () => {
    const proxy = await opened(new PlayedServer());
    proxy.topics.set("t", ["b"]);
    const pubsub = await component(proxy, { nameServer: `127.0.0.1:${await freePort()}` });
    expect(await publish(pubsub, "t")).toBeUndefined();
    expect(await publish(pubsub, "missing")).toMatchObject({ code: "unavailable", outcome: "rejected" });
  });

  test("the name server says nothing", async () => {
    const proxy = await opened(new PlayedServer());
    proxy.topics.set("t", ["b"]);
    const pubsub = await component(proxy, { nameServer: (await opened(silent())).place, requestTimeout: "200ms" });
    expect(await publish(pubsub, "t")).toBeUndefined();
  });

  test("one of its brokers is gone; and a new topic is made at the others before the proxy is asked for it, which remembers what is not there", async () => {
    const proxy = await opened(new PlayedServer());
    proxy.topics.set("t", ["alive"]);
    const alive = await opened(
      new PlayedRemoting(async (code, { topic = "" }) => {
        // Later than the other one is found to be gone.
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (code === Request.topicConfig && !proxy.topics.has(topic)) return { code: Answer.topicNotExist };
        if (code === Request.updateTopic) proxy.topics.set(topic, ["alive"]);
        return { body: JSON.stringify({ readQueueNums: 8 }) };
      }),
    );
    const gone = `127.0.0.1:${await freePort()}`;
    const names = await opened(nameServerOf(() => ({ gone, alive: alive.place })));
    const pubsub = await component(proxy, { nameServer: names.place });
    expect(await publish(pubsub, "t")).toBeUndefined();
    expect(await publish(pubsub, "new")).toBeUndefined();
  });
});

test("old news of a topic are used until the proxy says that it is gone", async () => {
  const clock = new SteppedClock();
  const proxy = new PlayedProxy({}, clock);
  const routes = new Routes(proxy, definition.options.parse({ endpoints: proxy.address.host }), "client", clock);
  proxy.answers.QueryRoute = () => ({ messageQueues: [{ acceptMessageTypes: [MessageType.NORMAL] }] });
  await routes.find("t");
  const asked = async (code: Code) => {
    clock.advance(31_000);
    proxy.answers.QueryRoute = () => ({ status: { code } });
    const known = routes.known("t");
    await expect(routes.find("t")).rejects.toBeInstanceOf(PubSubError);
    return known;
  };
  expect(await asked(Code.INTERNAL_SERVER_ERROR)).toBeDefined();
  expect(await asked(Code.TOPIC_NOT_FOUND)).toBeDefined();
  expect(routes.known("t")).toBeUndefined();
});

test("a topic whose type the proxy cannot tell is asked about again by who must know it, and not taken for one of another type", async () => {
  const proxy = await opened(new PlayedServer());
  proxy.topics.set("t", ["b"]).set("TBW102", ["b"]);
  proxy.types = [MessageType.MESSAGE_TYPE_UNSPECIFIED];
  const pubsub = await component(proxy);
  await pubsub.ping(AbortSignal.timeout(10_000));
  const ordered = { topic: "t", group: "g", start: "earliest", order: "key", options: {} } as const;
  const refusal = { code: "unavailable", permanent: false, message: expect.stringContaining("type") };
  expect(await publish(pubsub, "t")).toMatchObject(refusal);
  await expect(pubsub.ensure("t", [ordered], AbortSignal.timeout(10_000))).rejects.toMatchObject(refusal);
  await pubsub.ensure("t", [{ ...ordered, order: "none" }], AbortSignal.timeout(10_000));
  proxy.types = [MessageType.FIFO];
  expect(await publish(pubsub, "t")).toBeUndefined();
  await pubsub.ensure("t", [ordered], AbortSignal.timeout(10_000));
});

test("a component whose close is cut short leaves no timer behind", async () => {
  const clock = new SteppedClock();
  const proxy = await opened(new PlayedServer());
  const pubsub = await component(proxy, {}, clock);
  await expect.poll(() => clock.timers).toBeGreaterThan(0);
  await pubsub.close(AbortSignal.abort());
  expect(clock.timers).toBe(0);
});

describe("a topic that was there is made nowhere while its only broker is away:", () => {
  /** It was published to; then its broker went, and with it the route to it. Another broker is left. */
  async function left(clock: SteppedClock): Promise<{ readonly pubsub: PubSub; readonly made: readonly string[] }> {
    const made: string[] = [];
    const proxy = await opened(new PlayedServer());
    proxy.topics.set("t", ["holder"]);
    const brokerOf = (has: boolean) =>
      new PlayedRemoting((code, { topic = "" }) => {
        if (code === Request.updateTopic) made.push(topic);
        return has ? { body: JSON.stringify({ readQueueNums: 8 }) } : { code: Answer.topicNotExist };
      });
    const places: Record<string, string> = { holder: (await opened(brokerOf(true))).place, other: (await opened(brokerOf(false))).place };
    const pubsub = await component(proxy, { nameServer: (await opened(nameServerOf(() => places))).place }, clock);
    expect(await publish(pubsub, "t")).toBeUndefined();
    delete places.holder;
    proxy.topics.delete("t");
    return { pubsub, made };
  }

  const away = { code: "unavailable", permanent: false, outcome: "rejected", message: expect.stringContaining("is not made at others") };

  test("by a subscription", async () => {
    const { pubsub, made } = await left(new SteppedClock());
    const request = { topic: "t", group: "g", order: "none", start: "latest", options: {} } as const;
    await expect(pubsub.subscribe(request, new Recorder())).rejects.toMatchObject(away);
    expect(made).toEqual([]);
  });

  test("by a publish", async () => {
    const clock = new SteppedClock();
    const { pubsub, made } = await left(clock);
    clock.advance(31_000);
    await expect.poll(() => publish(pubsub, "t")).toMatchObject(away);
    expect(made).toEqual([]);
  });
});

test("a broker that comes while that of a running reader is away is read from its queues' beginning, wherever the group was to begin", async () => {
  const clock = new SteppedClock();
  const proxy = await opened(new PlayedServer());
  proxy.topics.set("t", ["before"]);
  const [before, added] = [new PlayedBroker(2), new PlayedBroker(2)];
  let places: Record<string, string> = { before: (await opened(before.remoting)).place };
  const pubsub = await component(proxy, { nameServer: (await opened(nameServerOf(() => places))).place }, clock);
  await pubsub.subscribe({ topic: "t", group: "g", order: "none", start: "latest", options: {} }, new Recorder());
  expect(before.where).toEqual([MAX, MAX]);
  places = { added: (await opened(added.remoting)).place };
  proxy.topics.set("t", ["added"]);
  clock.advance(30_000);
  await expect.poll(() => added.where).toEqual([MIN, MIN]);
});
