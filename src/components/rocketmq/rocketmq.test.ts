import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type RocketmqServer, startRocketmq } from "../../../test/brokers/rocketmq.ts";
import { freePort } from "../../../test/brokers/server.ts";
import { withRocketmq } from "../../../test/brokers/with.ts";
import { Recorder } from "../../conformance/recorder.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { Delivery } from "../../pubsub/delivery.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import type { SubscribeRequest } from "../../pubsub/subscription.ts";
import { Entities } from "./entities.ts";
import { NO_LIMIT } from "./group-shape.ts";
import { definition } from "./index.ts";
import type { Lease } from "./lease.ts";
import { theyPublish, theyReceive } from "./other-client.fixture.ts";
import { Request } from "./remoting.ts";

const LEASE_MS = 10_000;
const STARTS_MS = 400_000;
const TEST_MS = 120_000;
const USER = { username: "layotto", password: "secret123" };
const CREDENTIALS = { accessKey: USER.username, secretKey: USER.password };
/** Everybody must sign in, to the broker and to the proxy. */
const AUTHENTICATION = {
  authenticationEnabled: "true",
  authenticationProvider: "org.apache.rocketmq.auth.authentication.provider.DefaultAuthenticationProvider",
  authenticationMetadataProvider: "org.apache.rocketmq.auth.authentication.provider.LocalAuthenticationMetadataProvider",
  initAuthenticationUser: JSON.stringify(USER),
  innerClientAuthenticationCredentials: JSON.stringify(CREDENTIALS),
};
const ASKS_THE_BROKER = { authenticationMetadataProvider: "org.apache.rocketmq.proxy.auth.ProxyAuthenticationMetadataProvider" };

withRocketmq("rocketmq, with sign-in and filters", () => {
  let server: RocketmqServer;
  const open: PubSub[] = [];
  beforeAll(async () => {
    server = await startRocketmq({
      broker: { ...AUTHENTICATION, enablePropertyFilter: "true" },
      proxy: { ...AUTHENTICATION, authenticationEnabled: true, ...ASKS_THE_BROKER },
    });
  }, STARTS_MS);
  afterEach(async () => {
    await Promise.all(open.splice(0).map((pubsub) => pubsub.close(AbortSignal.timeout(5_000))));
  });
  afterAll(() => server?.stop());

  const places = () => ({ endpoints: `127.0.0.1:${server.port}`, nameServer: `127.0.0.1:${server.nameServerPort}` });

  /** As a sidecar of its own. */
  function component(change: object = {}): PubSub {
    const context = { name: "test", appId: "app1", process: `host:${randomUUID()}`, dataDir: "", clock: systemClock };
    const pubsub = definition.open(definition.options.parse({ ...places(), ...CREDENTIALS, lease: LEASE_MS, ...change }), context);
    open.push(pubsub);
    return pubsub;
  }

  async function connected(change: object = {}): Promise<PubSub> {
    const pubsub = component(change);
    await pubsub.ping(AbortSignal.timeout(20_000));
    return pubsub;
  }

  const topicOf = (what: string): string => `${what}-${randomUUID()}`;
  const wanted = (topic: string, change: Partial<SubscribeRequest> = {}): SubscribeRequest => ({
    topic,
    group: "group1",
    start: "earliest",
    order: "none",
    options: {},
    ...change,
  });

  async function read(pubsub: PubSub, request: SubscribeRequest): Promise<Recorder> {
    const sink = new Recorder(60_000);
    const subscription = await pubsub.subscribe(request, sink);
    subscription.window(100, 1_000_000);
    return sink;
  }

  const textOf = ({ data }: Pick<Delivery, "data">): string => Buffer.from(data).toString();

  /** In one batch. Resolves to what became of each. */
  function publish(
    pubsub: PubSub,
    topic: string,
    ...messages: readonly (string | (Partial<Outgoing> & { readonly text: string }))[]
  ): Promise<readonly (PubSubError | undefined)[]> {
    const results = messages.map(() => Promise.withResolvers<PubSubError | undefined>());
    const batch = messages.map((message, index): Outgoing => {
      const { text, ...more } = typeof message === "string" ? { text: message } : message;
      return { topic, attributes: {}, ...more, data: Buffer.from(text), done: (error) => results[index]?.resolve(error) };
    });
    pubsub.publish(batch, AbortSignal.timeout(20_000));
    return Promise.all(results.map(({ promise }) => promise));
  }

  test("the proxy tells the checksum of a body, by which messages with one id are told apart", { timeout: TEST_MS }, async () => {
    const topic = topicOf("checksum");
    const pubsub = await connected();
    const sink = await read(pubsub, wanted(topic));
    await publish(pubsub, topic, "a");
    const delivery = (await sink.one()) as Lease;
    expect(delivery.identity).toMatch(/^\S+ [0-9A-Fa-f]+$/);
    delivery.ack();
  });

  test(
    "RocketMQ's own client receives what we send",
    async () => {
      const [pubsub, topic] = [await connected(), topicOf("ours")];
      await pubsub.ensure(topic, [wanted(topic, { group: "theirs" })], AbortSignal.timeout(20_000));
      const attributes = { a: "b", "rocketmq-tag": "t", "rocketmq-key": "k1,k2" };
      expect(await publish(pubsub, topic, { text: "{}", attributes, key: "k" }, "second")).toEqual([undefined, undefined]);
      const got = await theyReceive({ ...places(), accessKey: USER.username, accessSecret: USER.password }, topic, "theirs", 2);
      expect(got.find(({ body }) => body === "{}")).toMatchObject({ properties: { a: "b" }, tag: "t", keys: ["k1", "k2"] });
      expect(got.map(({ body }) => body).sort()).toEqual(["second", "{}"]);
      const rest = await read(pubsub, wanted(topic, { group: "theirs" }));
      await publish(pubsub, topic, "last");
      expect(textOf(await rest.one())).toBe("last");
    },
    TEST_MS,
  );

  test(
    "we receive what RocketMQ's own client sends",
    async () => {
      const [pubsub, topic] = [await connected(), topicOf("theirs")];
      const sink = await read(pubsub, wanted(topic));
      const theirs = { ...places(), accessKey: USER.username, accessSecret: USER.password };
      await theyPublish(theirs, topic, "<from them>", new Map([["traceparent", "00-1"]]));
      const delivery = await sink.one();
      expect(textOf(delivery)).toBe("<from them>");
      expect({ ...delivery.attributes }).toEqual({ traceparent: "00-1", "rocketmq-tag": "theirs", "rocketmq-key": "k1,k2" });
      expect([delivery.key, delivery.deliveries]).toEqual([undefined, 1]);
      expect(Math.abs((delivery.publishedAt ?? 0) - Date.now())).toBeLessThan(60_000);
    },
    TEST_MS,
  );

  test(
    "messages of one batch whose leases were renewed are acknowledged for good",
    async () => {
      const [pubsub, topic] = [await connected(), topicOf("renewed")];
      const sink = new Recorder(60_000);
      const subscription = await pubsub.subscribe(wanted(topic), sink);
      await publish(pubsub, topic, ...Array.from({ length: 8 }, (_, index) => `m${index}`));
      subscription.window(100, 1_000_000);
      const batch = await sink.next(8);
      // Time itself is what this is about: each lease is renewed, and the acknowledgement must go to the new one.
      await new Promise((resolve) => setTimeout(resolve, LEASE_MS));
      for (const delivery of batch) expect(delivery.ack()).toBe(true);
      await subscription.flush(AbortSignal.timeout(20_000));
      await new Promise((resolve) => setTimeout(resolve, 1.7 * LEASE_MS));
      expect(sink.seen.map(textOf)).toHaveLength(8);
    },
    TEST_MS,
  );

  test(
    "what is given back untried is not counted as a delivery, and what is tried again is",
    async () => {
      const [pubsub, topic] = [await connected(), topicOf("counted")];
      const sink = await read(pubsub, wanted(topic));
      await publish(pubsub, topic, "a");
      const first = await sink.one();
      expect([first.deliveries, first.release()]).toEqual([1, true]);
      const second = await sink.one();
      expect([second.deliveries, second.retry?.(100, 1)]).toEqual([1, true]);
      const third = await sink.one();
      expect([third.deliveries, third.position, third.ack()]).toEqual([2, first.position, true]);
    },
    TEST_MS,
  );

  test(
    "filters by tag and by SQL are the broker's",
    async () => {
      const [pubsub, topic] = [await connected(), topicOf("filtered")];
      const tagged = await read(pubsub, wanted(topic, { group: "tagged", options: { "rocketmq-sub-expression": "a || b" } }));
      const sql = { "rocketmq-sub-type": "sql92", "rocketmq-sub-expression": "price > 10" };
      const priced = await read(pubsub, wanted(topic, { group: "priced", options: sql }));
      for (const [text, tag, price] of [
        ["a5", "a", "5"],
        ["c20", "c", "20"],
        ["b7", "b", "7"],
        ["b30", "b", "30"],
      ] as const) {
        await publish(pubsub, topic, { text, attributes: { "rocketmq-tag": tag, price } });
      }
      expect((await tagged.next(3)).map(textOf).sort()).toEqual(["a5", "b30", "b7"]);
      expect((await priced.next(2)).map(textOf).sort()).toEqual(["b30", "c20"]);
    },
    TEST_MS,
  );

  test(
    "a group that we make has no limit of its own, and one that has is refused and found",
    async () => {
      const [pubsub, topic] = [await connected({ consumerGroup: "limited" }), topicOf("limits")];
      const entities = new Entities(definition.options.parse({ ...places(), ...CREDENTIALS }));
      const signal = AbortSignal.timeout(20_000);
      await pubsub.ensure(topic, [wanted(topic, { group: "free" })], signal);
      const limits = (await entities.eachBroker(signal, (broker) => broker.request(Request.allGroups, {}))).map(({ body }) => body);
      expect(limits.join()).toMatch(new RegExp(`"groupName":"free"[^}]*}?[^}]*"retryMaxTimes":${NO_LIMIT}`));
      expect((await pubsub.inspect(signal)).filter(({ level }) => level === "refuse")).toEqual([]);
      await entities.eachBroker(signal, (broker) =>
        broker.request(Request.updateGroup, {}, JSON.stringify({ groupName: "limited", consumeEnable: true, retryMaxTimes: 16 })),
      );
      expect(await pubsub.inspect(signal)).toContainEqual(
        expect.objectContaining({ level: "refuse", id: "rocketmq.limit", remedy: expect.stringContaining("updateSubGroup") }),
      );
      await expect(pubsub.subscribe(wanted(topic, { group: "limited" }), new Recorder())).rejects.toMatchObject({
        code: "failed_precondition",
        permanent: true,
        message: expect.stringContaining("%DLQ%limited"),
      });
      // What the proxy tells is enough to know.
      const [blind, ordered] = [await connected({ nameServer: "" }), topicOf("ordered")];
      await pubsub.ensure(
        ordered,
        [wanted(ordered, { group: "kept", order: "key" }), wanted(ordered, { group: "unordered-ordered" })],
        signal,
      );
      const unfit = [wanted(topic, { group: "limited" }), wanted(ordered, { group: "unordered", order: "key" })];
      for (const request of unfit) {
        const error = { code: "failed_precondition", permanent: true, message: expect.stringContaining("updateSubGroup") };
        await expect(blind.subscribe(request, new Recorder())).rejects.toMatchObject(error);
      }
      await read(blind, wanted(topic, { group: "free" }));
      await read(blind, wanted(ordered, { group: "kept", order: "key" }));
    },
    TEST_MS,
  );

  test(
    "without a name server nothing is made, and the error names the command",
    async () => {
      const [pubsub, topic] = [await connected({ nameServer: "" }), topicOf("missing")];
      const command = expect.stringContaining(`mqadmin updateTopic -c CLUSTER -t ${topic}`);
      await expect(pubsub.subscribe(wanted(topic), new Recorder())).rejects.toMatchObject({ code: "not_found", message: command });
      expect(await publish(pubsub, topic, "a")).toMatchObject([{ code: "not_found", outcome: "rejected", message: command }]);
      expect(await pubsub.inspect(AbortSignal.timeout(20_000))).toMatchObject([{ level: "warn", id: "rocketmq.unchecked" }]);
    },
    TEST_MS,
  );

  test(
    "what does not fit is told: a delay or an order on a topic without, the order of a topic, properties that are too large beside others",
    async () => {
      const [pubsub, topic] = [await connected(), topicOf("normal")];
      await pubsub.ensure(topic, [wanted(topic)], AbortSignal.timeout(20_000));
      const later = { text: "later", notBefore: Date.now() + 60_000 };
      const huge = { text: "huge", key: "k", attributes: { huge: "x".repeat(20_000) } };
      expect(await publish(pubsub, topic, "good", later, huge, { text: "behind it", key: "k" }, "better")).toMatchObject([
        undefined,
        { code: "failed_precondition", permanent: true, message: expect.stringContaining("+message.type=DELAY") },
        { code: "resource_exhausted", permanent: true },
        { code: "unavailable", outcome: "rejected", permanent: false },
        undefined,
      ]);
      await expect(pubsub.subscribe(wanted(topic, { order: "key" }), new Recorder())).rejects.toMatchObject({
        permanent: true,
        message: expect.stringContaining("+message.type=FIFO"),
      });
      await expect(pubsub.subscribe(wanted(topic, { order: "topic" }), new Recorder())).rejects.toMatchObject({ permanent: true });
    },
    TEST_MS,
  );

  test(
    "TLS: the proxy's own certificate is taken when nobody wants to verify it, and refused else",
    async () => {
      await connected({ enableTLS: true, insecureSkipTLSVerify: true });
      const refusing = component({ enableTLS: true });
      await expect(refusing.ping(AbortSignal.timeout(20_000))).rejects.toMatchObject({ code: "unavailable" });
    },
    TEST_MS,
  );

  test(
    "of several proxies the one that answers is used",
    async () => {
      const dead = await freePort();
      const pubsub = component({ endpoints: `127.0.0.1:${dead};127.0.0.1:${server.port}` });
      const sink = new Recorder(60_000);
      const topic = topicOf("proxies");
      await expect
        .poll(() => pubsub.subscribe(wanted(topic), sink).then((subscription) => subscription.window(1, 1_000)), { timeout: 60_000 })
        .toBeUndefined();
      await publish(pubsub, topic, "a");
      expect(textOf(await sink.one())).toBe("a");
    },
    TEST_MS,
  );

  test(
    "who signs with another key is refused, and it is nobody's fault but the key's",
    async () => {
      const pubsub = await connected({ secretKey: "wrong", nameServer: "" });
      expect(await publish(pubsub, topicOf("signed"), "a")).toMatchObject([{ code: "unauthenticated", outcome: "rejected" }]);
    },
    TEST_MS,
  );
});
