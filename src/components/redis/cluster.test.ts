import { afterEach, expect, test } from "vitest";
import { withRedis } from "../../../test/brokers/with.ts";
import type { Bench } from "../../conformance/bench.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { benchOn } from "./bench.fixture.ts";
import { startPair, takeAll, topicOn } from "./cluster.fixture.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Port {
  readonly port: number;
}

/** Opened with what is named, in this order. A server that is away is tried again often: that must not be in the way of anything. */
async function open(...named: readonly Port[]): Promise<readonly [Bench, PubSub]> {
  const redisHost = named.map(({ port }) => `127.0.0.1:${port}`).join(",");
  const bench = benchOn({ redisHost, redisType: "cluster", redisMaxRetryInterval: "50ms" });
  cleanups.push(() => bench.closeAll());
  return [bench, await bench.open()];
}

/** Resolves to why it failed, if it did. */
function publish(pubsub: PubSub, topic: string): Promise<PubSubError | undefined> {
  return new Promise((resolve) => {
    const message = { topic, data: Buffer.from("x"), attributes: {}, done: resolve };
    pubsub.publish([message], AbortSignal.timeout(5_000));
  });
}

/** Resolves as soon as a message of the topic is stored. */
async function published(pubsub: PubSub, topic: string): Promise<void> {
  await expect.poll(() => publish(pubsub, topic), { timeout: 15_000, interval: 200 }).toBeUndefined();
}

withRedis("redis: a cluster that changes", () => {
  test("a master that ends: its topics are found where the layout has them then", async () => {
    const [first, second] = await startPair(cleanups);
    const [bench, pubsub] = await open(first);
    const topic = topicOn("second", bench.topic);
    await published(pubsub, topic);
    await second.kill();
    // From here on its connections fail, one after the other and again and again.
    await expect.poll(() => publish(pubsub, topic)).toMatchObject({ outcome: "rejected" });
    await takeAll(first);
    await published(pubsub, topic);
    expect(await first.cli("XLEN", topic)).toBe("1");
  }, 60_000);
});
