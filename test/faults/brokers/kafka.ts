import { backlogOf } from "../../../src/components/kafka/backlog.ts";
import { clusterAt } from "../../../src/components/kafka/cluster.fixture.ts";
import type { Cluster } from "../../../src/components/kafka/cluster.ts";
import type { Api } from "../../../src/components/kafka/wire/api.ts";
import { kafkaAvailable, startKafka } from "../../brokers/kafka.ts";
import { TcpProxy } from "../../brokers/proxy.ts";
import { toxiproxyAvailable } from "../../brokers/toxiproxy.ts";
import type { Component } from "../../e2e/sidecar.ts";
import { type Broker, NO_DISK, type Owed } from "../broker.ts";
import { OF_THE_ENGINE } from "../scenarios/of-the-engine.ts";

/** Short times, so that what must run out does so within a test. */
const TIMES = {
  sessionTimeout: "2s",
  heartbeatInterval: "400ms",
  rebalanceTimeout: "10s",
  commitInterval: "20ms",
  leaveAfter: "1s",
  readTimeout: "1s",
  dialTimeout: "1s",
};
/** As many as a scenario has replicas. */
const PARTITIONS = 3;
const MESSAGE_BYTES = 8_388_608;
const OFFSETS = "__consumer_offsets";

export const kafka: Broker = {
  name: "kafka",
  gaps: {
    ...NO_DISK,
    failover: "a cluster of several brokers is not started here",
    trims: "Kafka deletes by age and size, not by what its groups have settled",
  },
  byHand: new Set([
    ...OF_THE_ENGINE,
    ...["pod-killed", "sidecar-stopped", "sidecar-frozen", "broker-frozen", "order-killed", "dead-letters-cut", "all-fail", "app-slow"],
    ...["latency", "cut", "reset-peer", "slow-close", "replies-swallowed", "requests-swallowed"],
    ...["cut-in-reply", "cut-in-read", "cut-in-request"],
  ]),
  unavailable: () => kafkaAvailable() ?? toxiproxyAvailable(),
  async start(port) {
    const server = await startKafka(port === undefined ? {} : { advertisedPort: port });
    const counting = await TcpProxy.start(server.proxiedPort);
    const cluster = clusterAt(server.port);
    return {
      component: (at): Component => ({
        type: "kafka",
        metadata: { brokers: `127.0.0.1:${at}`, partitions: PARTITIONS, ...TIMES },
      }),
      process: {
        port: counting.port,
        kill: () => server.kill(),
        restart: () => server.restart(),
        freeze: () => server.freeze(),
        thaw: () => server.thaw(),
        accepted: () => Promise.resolve(counting.accepted),
        wipe: () => wipe(cluster),
        refuseAllBut: (topics) => refuseAllBut(cluster, topics),
        accept: () => most(cluster, { kind: BROKER, name: "", key: "message.max.bytes" }, MESSAGE_BYTES),
      },
      owed: (topic, group) => owed(cluster, topic, group),
      async stop() {
        cluster.close();
        await counting.stop();
        await server.stop();
      },
    };
  },
};

async function owed(cluster: Cluster, topic: string, group: string): Promise<Owed> {
  const { messages } = await backlogOf(cluster, group, topic, []);
  return { pending: 0, lag: messages ?? Number.NaN };
}

const deleteTopics: Api<readonly string[], readonly number[]> = {
  name: "DeleteTopics",
  key: 20,
  version: 1,
  write: (writer, topics) => writer.array(topics, (topic) => writer.string(topic)).int32(10_000),
  read(reader) {
    reader.int32();
    return reader.array(() => {
      reader.string();
      return reader.int16();
    });
  },
};

async function wipe(cluster: Cluster): Promise<void> {
  const names = (await cluster.topics()).map(({ name }) => name);
  const errors = await cluster.ask(deleteTopics, names);
  const failed = errors.find((error) => error !== 0);
  if (failed !== undefined) throw new Error(`Kafka answered the error ${failed} when topics were to be deleted`);
}

const TOPIC = 2;
const BROKER = 4;

interface Change {
  readonly kind: number;
  readonly name: string;
  readonly key: string;
  readonly value: string;
}

const alterConfigs: Api<Change, readonly number[]> = {
  name: "IncrementalAlterConfigs",
  key: 44,
  version: 0,
  write(writer, { kind, name, key, value }) {
    writer.array([name], (one) =>
      writer
        .int8(kind)
        .string(one)
        .array([key], (what) => writer.string(what).int8(0).string(value)),
    );
    writer.flag(false);
  },
  read(reader) {
    reader.int32();
    return reader.array(() => {
      const error = reader.int16();
      reader.nullableString();
      reader.int8();
      reader.string();
      return error;
    });
  },
};

/** Whose messages may have one byte takes none. */
async function refuseAllBut(cluster: Cluster, topics: readonly string[]): Promise<void> {
  for (const name of [...topics, OFFSETS]) await most(cluster, { kind: TOPIC, name, key: "max.message.bytes" }, MESSAGE_BYTES);
  await most(cluster, { kind: BROKER, name: "", key: "message.max.bytes" }, 1);
}

async function most(cluster: Cluster, what: Omit<Change, "value">, bytes: number): Promise<void> {
  const [error] = await cluster.ask(alterConfigs, { ...what, value: String(bytes) });
  if (error) throw new Error(`Kafka answered the error ${error} to ${what.key} of ${what.name || "all brokers"}`);
}
