import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { jars, mavenAvailable } from "./maven.ts";
import { freePort, Server } from "./server.ts";

const run = promisify(execFile);

/** 3.9.2 is the last that old clients can talk to. */
const KAFKA_VERSION = process.env.KAFKA_VERSION || "4.4.0";
const STARTS_MS = 60_000;

/** Small, and quick to start. */
const SMALL = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-Xss512k", "-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true"];

/** Why no Kafka can be had here; undefined: it can. */
export const kafkaAvailable = mavenAvailable;

export interface KafkaServerOptions {
  /** Default: `KAFKA_VERSION`. */
  readonly version?: string;
  /** The port at which clients of `proxiedPort` are told to find the broker: something that stands before it. */
  readonly advertisedPort?: number;
  /** Listeners beside the plain ones, by the name of their protocol. */
  readonly secured?: readonly ("SASL_PLAINTEXT" | "SSL")[];
  /** Users and passwords: `SCRAM-SHA-256=[name=u,password=p]`. */
  readonly scram?: readonly string[];
  /** More lines of `server.properties`, which win over ours. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
  /** Default true: only the JVM's quick compiler. */
  readonly quick?: boolean;
}

/** A Kafka of the test's own on the loopback: broker and controller in one JVM, its log in a temporary folder. */
export interface KafkaServer {
  readonly port: number;
  /** For clients behind a proxy: they are told `advertisedPort`. */
  readonly proxiedPort: number;
  /** Ports of the `secured` listeners, in their order. */
  readonly securedPorts: readonly number[];
  readonly pid: number | undefined;
  /** Where the test may put files that the server's properties name. */
  readonly directory: string;
  /** kill -9. The data stays for `restart`. */
  kill(): Promise<void>;
  /** Starts again on the same ports and data; kills it first if it runs. */
  restart(): Promise<void>;
  /** Neither answers nor closes its connections, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Ends it and deletes its data. */
  stop(): Promise<void>;
}

export async function startKafka(options: KafkaServerOptions = {}): Promise<KafkaServer> {
  const version = options.version ?? KAFKA_VERSION;
  const lib = await jars(`kafka-${version}`, [`org.apache.kafka:kafka_2.13:${version}`, "org.slf4j:slf4j-simple:1.7.36"]);
  const [port, proxiedPort, controller] = [await freePort(), await freePort(), await freePort()];
  const secured: [name: string, port: number][] = [];
  for (const name of options.secured ?? []) secured.push([name, await freePort()]);
  const quick = options.quick === false ? [] : ["-XX:TieredStopAtLevel=1"];
  const java = (directory: string) => [
    ...SMALL,
    ...quick,
    `-Djava.io.tmpdir=${directory}`,
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-cp",
    join(lib, "*"),
  ];
  const server = new Server(
    "kafka",
    "java",
    (directory) => {
      const advertised = options.advertisedPort ?? proxiedPort;
      writeFileSync(
        join(directory, "server.properties"),
        properties({ port, proxiedPort, controller, secured, advertised, directory, options }),
      );
      return [...java(directory), "kafka.Kafka", join(directory, "server.properties")];
    },
    () => answers(port),
    STARTS_MS,
  );
  try {
    const { directory } = server;
    const format = ["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", join(directory, "server.properties")];
    const users = (options.scram ?? []).flatMap((user) => ["--add-scram", user]);
    await run("java", [...java(directory), ...format, ...users]);
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    port,
    proxiedPort,
    securedPorts: secured.map(([, at]) => at),
    directory: server.directory,
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    async restart() {
      await server.kill();
      await server.start();
    },
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    stop: () => server.stop(),
  };
}

interface Layout {
  readonly port: number;
  readonly proxiedPort: number;
  readonly controller: number;
  readonly secured: readonly (readonly [name: string, port: number])[];
  readonly advertised: number;
  readonly directory: string;
  readonly options: KafkaServerOptions;
}

/** One node, so every internal topic has one replica, and few partitions to open; and times that tests can wait for. */
function properties({ port, proxiedPort, controller, secured, advertised, directory, options }: Layout): string {
  const host = "127.0.0.1";
  const more = secured.map(([name, at]) => `,${name}://${host}:${at}`).join("");
  const protocols = secured.map(([name]) => `,${name}:${name}`).join("");
  const all: Record<string, string | number | boolean> = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@${host}:${controller}`,
    listeners: `PLAINTEXT://${host}:${port},PROXIED://${host}:${proxiedPort},CONTROLLER://${host}:${controller}${more}`,
    "advertised.listeners": `PLAINTEXT://${host}:${port},PROXIED://${host}:${advertised}${more}`,
    "listener.security.protocol.map": `PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols}`,
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "log.dirs": join(directory, "data"),
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 500,
    // A broker that was killed is registered for so long, and cannot come back before.
    "broker.session.timeout.ms": 2_000,
    "broker.heartbeat.interval.ms": 500,
    "auto.create.topics.enable": false,
    "num.partitions": 1,
    "num.network.threads": 2,
    "num.io.threads": 2,
    "background.threads": 2,
    "log.cleaner.dedupe.buffer.size": 4_194_304,
    "log.segment.bytes": 67_108_864,
    "message.max.bytes": 8_388_608,
    ...options.properties,
  };
  return Object.entries(all)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

/** Whether a Kafka answers on the port: what comes back is the answer to our question, and not something of another program. */
function answers(port: number): Promise<boolean> {
  const question = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]);
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(question));
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (reply) => finish(reply.length >= 8 && reply.readInt32BE(4) === 7));
    socket.once("error", () => finish(false));
    socket.once("close", () => finish(false));
  });
}
