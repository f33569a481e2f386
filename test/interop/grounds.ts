import { backlogOf } from "../../src/components/kafka/backlog.ts";
import { clusterAt } from "../../src/components/kafka/cluster.fixture.ts";
import { startKafka } from "../brokers/kafka.ts";
import { startRedis } from "../brokers/redis.ts";

/** A broker that both sidecars use. */
export interface Ground {
  /** What both have in their configuration for a group. */
  component(group: string): { readonly type: string; readonly metadata: Readonly<Record<string, string>> };
  /** Messages of the group that are not acknowledged. */
  unacknowledged(topic: string, group: string): Promise<number>;
  /** Whether both can be in one group. */
  readonly shares: boolean;
  stop(): Promise<void>;
}

/** The last Kafka that a Go Layotto of 2022 can speak to. */
const KAFKA_VERSION = "3.9.2";

export const GROUNDS: Readonly<Record<string, () => Promise<Ground>>> = {
  async redis() {
    const redis = await startRedis();
    return {
      component: (consumerID) => ({
        type: "redis",
        metadata: { redisHost: `127.0.0.1:${redis.port}`, redisPassword: "", consumerID },
      }),
      unacknowledged: async (topic, group) => Number((await redis.cli("XPENDING", topic, group)).split("\n")[0]),
      shares: true,
      stop: () => redis.stop(),
    };
  },
  async kafka() {
    // Go Layotto makes no topics.
    const kafka = await startKafka({ version: KAFKA_VERSION, properties: { "auto.create.topics.enable": true } });
    const cluster = clusterAt(kafka.port);
    const metadata = { brokers: `127.0.0.1:${kafka.port}`, authRequired: "false", clientID: "interop", initialOffset: "oldest" };
    return {
      component: (group) => ({ type: "kafka", metadata: { ...metadata, consumerGroup: group, maxMessageBytes: "1000000" } }),
      unacknowledged: async (topic, group) => (await backlogOf(cluster, group, topic, [])).messages ?? Number.NaN,
      // Go Layotto shares partitions by another strategy.
      shares: false,
      async stop() {
        cluster.close();
        await kafka.stop();
      },
    };
  },
};
