import { backlogOf } from "../../../src/components/kafka/backlog.ts";
import { Cluster } from "../../../src/components/kafka/cluster.ts";
import { kafkaOptions } from "../../../src/components/kafka/config.ts";
import { SignIn } from "../../../src/components/kafka/sign-in.ts";
import type { Api } from "../../../src/components/kafka/wire/api.ts";
import { systemClock } from "../../../src/pubsub/clock.ts";
import { type KafkaServer, kafkaAvailable, startKafka } from "../../brokers/kafka.ts";
import { TcpProxy } from "../../brokers/proxy.ts";
import { toxiproxyAvailable } from "../../brokers/toxiproxy.ts";
import type { Component } from "../../e2e/sidecar.ts";
import type { Broker, Owed } from "../broker.ts";

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
const OFFSETS = "__consumer_offsets";

export const kafka: Broker = {
  name: "kafka",
  gaps: {
    failover: "a cluster of several brokers is not started here",
    trims: "Kafka deletes by age and size, not by what its groups have settled",
  },
  unavailable: () => kafkaAvailable() ?? toxiproxyAvailable(),
  async start(port) {
    const server = await startKafka({ advertisedPort: port });
    const counting = await TcpProxy.start(server.proxiedPort);
    const cluster = clusterOf(server);
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
        accept: () => replicas(cluster, { kind: BROKER, name: "" }, "1"),
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

/** Past the proxies. */
function clusterOf({ port }: KafkaServer): Cluster {
  const options = kafkaOptions.parse({ brokers: `127.0.0.1:${port}` });
  return new Cluster({ options, clientId: "faults", clock: systemClock, signIn: new SignIn(options, systemClock) });
}

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
    writer.array([name], (one) => writer.int8(kind).string(one).array([key], (what) => writer.string(what).int8(0).string(value)));
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

/** One broker cannot have two replicas: what wants two takes nothing. */
async function refuseAllBut(cluster: Cluster, topics: readonly string[]): Promise<void> {
  for (const name of [...topics, OFFSETS]) await replicas(cluster, { kind: TOPIC, name }, "1");
  await replicas(cluster, { kind: BROKER, name: "" }, "2");
}

async function replicas(cluster: Cluster, what: { readonly kind: number; readonly name: string }, least: string): Promise<void> {
  const [error] = await cluster.ask(alterConfigs, { ...what, key: "min.insync.replicas", value: least });
  if (error) throw new Error(`Kafka answered the error ${error} to min.insync.replicas of ${what.name || "all brokers"}`);
}
