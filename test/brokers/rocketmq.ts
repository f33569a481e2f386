import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Answer, Remoting, RemotingError, Request } from "../../src/components/rocketmq/remoting.ts";
import { jars, mavenAvailable } from "./maven.ts";
import { freePort, Server } from "./server.ts";

const VERSION = "5.5.0";
const ARTIFACTS = [`org.apache.rocketmq:rocketmq-namesrv:${VERSION}`, `org.apache.rocketmq:rocketmq-proxy:${VERSION}`] as const;
const CLUSTER = "DefaultCluster";
/** Two virtual machines on a busy computer. */
const START_MS = 180_000;
const POSITIONS = join("store", "config", "consumerOffset.json");
const LOOK_MS = 10;
const OFFSETS = /\{"brokerName":"[^"]+","queueId":\d+,"topic":"([^"]+)"\}:\{"brokerOffset":(\d+),"consumerOffset":(\d+)/g;

/** Why no RocketMQ can be had here; undefined: it can. */
export const rocketmqAvailable = mavenAvailable;

export interface RocketmqServerOptions {
  /** Lines of the broker's own configuration; the last of two wins. */
  readonly broker?: Readonly<Record<string, string>>;
  /** Entries of the proxy's own configuration. */
  readonly proxy?: Readonly<Record<string, unknown>>;
}

/** A RocketMQ of the test's own: a name server, and a proxy that has the broker in its process. Its data lie in a temporary folder. */
export interface RocketmqServer {
  /** Of the gRPC proxy. */
  readonly port: number;
  readonly nameServerPort: number;
  /** Of the broker itself, in the older protocol. */
  readonly brokerPort: number;
  /** kill -9 of proxy and broker. The data stays for `restart`. */
  kill(): Promise<void>;
  /** Starts proxy and broker again on the same ports and data; kills them first if they run. */
  restart(): Promise<void>;
  /** Resolves when the positions of all groups, which it keeps in memory for a while, are on the disk. */
  positionsWritten(): Promise<void>;
  /** Messages of the topic that the group has not been given, with those that it is to be given again. What is lent the broker does not tell. */
  unread(topic: string, group: string): Promise<number>;
  /** Neither answers nor closes its connections, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Ends all and deletes the data. */
  stop(): Promise<void>;
}

/** The first start on a machine gets it: a hundred megabytes. */
export async function startRocketmq(options: RocketmqServerOptions = {}): Promise<RocketmqServer> {
  const library = await jars(`rocketmq-${VERSION}`, ARTIFACTS);
  const [nameServerPort, port, remotingPort] = [await freePort(), await freePort(), await freePort()];
  // It takes these beside the one that it is told.
  const brokerPort = await freePort([-2, 1]);
  const nameServer = `127.0.0.1:${nameServerPort}`;
  const naming = new Server(
    "rocketmq-names",
    "java",
    (folder) => {
      const file = join(folder, "namesrv.conf");
      writeFileSync(file, properties({ listenPort: String(nameServerPort), bindAddress: "127.0.0.1", ...keptIn(folder) }));
      return [...java(folder, library, 96), "org.apache.rocketmq.namesrv.NamesrvStartup", "-c", file];
    },
    () => listens(nameServerPort),
    START_MS,
  );
  const proxy = new Server(
    "rocketmq",
    "java",
    (folder) => {
      const [brokerFile, proxyFile] = [join(folder, "broker.conf"), join(folder, "rmq-proxy.json")];
      writeFileSync(brokerFile, properties({ ...brokerSettings(folder, brokerPort, nameServer), ...options.broker }));
      const ports = { grpcServerPort: port, remotingListenPort: remotingPort };
      writeFileSync(proxyFile, JSON.stringify({ ...PROXY, namesrvAddr: nameServer, ...ports, ...options.proxy }));
      const files = ["-n", nameServer, "-bc", brokerFile, "-pc", proxyFile];
      return [...java(folder, library, 384), "org.apache.rocketmq.proxy.ProxyStartup", "-pm", "local", ...files];
    },
    async () => (await listens(port)) && (await knows(nameServerPort, brokerPort)),
    START_MS,
  );
  const stop = async (): Promise<void> => {
    // In order it takes half a minute, and nobody needs what it would leave.
    await Promise.all([proxy.kill(), naming.kill()]);
    await Promise.all([proxy.stop(), naming.stop()]);
  };
  try {
    await naming.start();
    await proxy.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    nameServerPort,
    brokerPort,
    kill: () => proxy.kill(),
    async restart() {
      await proxy.kill();
      await proxy.start();
    },
    async positionsWritten() {
      // There is no file for a moment whenever it is written.
      const written = () => statSync(join(proxy.directory, POSITIONS), { throwIfNoEntry: false })?.mtimeMs ?? 0;
      const asked = Date.now();
      // What is being written may be older; what is written next is not.
      let first = 0;
      for (let at = written(); at <= asked || first === 0 || at === first; at = written()) {
        if (at > asked) first ||= at;
        await delay(LOOK_MS);
      }
    },
    unread: (topic, group) => unread(brokerPort, topic, group),
    freeze: () => proxy.freeze(),
    thaw: () => proxy.thaw(),
    stop,
  };
}

const PROXY = {
  rocketMQClusterName: CLUSTER,
  proxyMode: "local",
  localServeAddr: "127.0.0.1",
  // A client that came through another port (Toxiproxy) is sent back there, and not past it.
  useEndpointPortFromRequest: true,
};

function brokerSettings(folder: string, port: number, nameServer: string): Record<string, string> {
  return {
    brokerClusterName: CLUSTER,
    brokerName: "broker-a",
    brokerId: "0",
    brokerIP1: "127.0.0.1",
    listenPort: String(port),
    bindAddress: "127.0.0.1",
    namesrvAddr: nameServer,
    storePathRootDir: join(folder, "store"),
    // What is kept in memory for five seconds by default would come again after a kill.
    flushConsumerOffsetInterval: "100",
    // Files are small, and a fairly full disk is no reason to refuse messages.
    mappedFileSizeCommitLog: "67108864",
    mappedFileSizeTimerLog: "10485760",
    maxHashSlotNum: "10000",
    maxIndexNum: "40000",
    diskMaxUsedSpaceRatio: "98",
    // The wheel of the delayed messages is written whole at each flush.
    timerFlushIntervalMs: "30000",
  };
}

const keptIn = (folder: string) => ({
  kvConfigPath: join(folder, "kvConfig.json"),
  configStorePath: join(folder, "namesrv.properties"),
});

const properties = (entries: Readonly<Record<string, string>>): string =>
  Object.entries(entries)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

/** Small virtual machines; the opened packages are those of RocketMQ's own start scripts. */
function java(folder: string, library: string, heapMiB: number): readonly string[] {
  const temporary = join(folder, "tmp");
  mkdirSync(temporary, { recursive: true });
  return [
    ...["-Xms64m", `-Xmx${heapMiB}m`, "-XX:MaxDirectMemorySize=256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
    ...["-Xss512k", "-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true", `-Djava.io.tmpdir=${temporary}`],
    ...["--add-opens=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED"],
    ...["--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED", "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED"],
    ...[`-Duser.home=${folder}`, `-Drocketmq.home.dir=${folder}`, "-cp", join(library, "*")],
  ];
}

/** Whether the name server tells of the broker, which the broker sees to by itself, later than it serves. */
async function knows(nameServerPort: number, brokerPort: number): Promise<boolean> {
  const server = new Remoting({ host: "127.0.0.1", port: nameServerPort }, undefined);
  try {
    return (await server.request(Request.brokerCluster, {})).body.includes(`:${brokerPort}"`);
  } finally {
    server.close();
  }
}

async function unread(brokerPort: number, topic: string, consumerGroup: string): Promise<number> {
  const broker = new Remoting({ host: "127.0.0.1", port: brokerPort }, undefined);
  try {
    const { body } = await broker.request(Request.consumeStats, { consumerGroup });
    let count = 0;
    for (const [, place, stored, read] of body.matchAll(OFFSETS)) if (place?.endsWith(topic)) count += Number(stored) - Number(read);
    return count;
  } catch (error) {
    if (error instanceof RemotingError && (error.answer === Answer.groupNotExist || error.answer === 1)) return 0;
    throw error;
  } finally {
    broker.close();
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => finish(true));
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("error", () => finish(false));
  });
}
