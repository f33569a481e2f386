import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Cluster } from "./cluster.ts";
import { kafkaOptions } from "./config.ts";
import { Connection } from "./connection.ts";
import { Publishing } from "./publish.ts";
import { produce } from "./wire/log-apis.ts";
import { Writer } from "./wire/writer.ts";

/** The time that the test lets pass. */
let passed = 0;
const clock = { ...systemClock, elapsed: () => systemClock.elapsed() + passed };
const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A broker that leads one topic, and answers what is published to it when it is told to. */
async function broker(topic: string) {
  const requests: { readonly id: number; readonly socket: Socket; readonly frame: Buffer }[] = [];
  let arrived = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    let bytes = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        requests.push({ id: bytes.readInt32BE(8), socket, frame: bytes.subarray(4, 4 + bytes.readInt32BE(0)) });
        bytes = bytes.subarray(4 + bytes.readInt32BE(0));
        arrived.resolve();
      }
    });
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    async dial(): Promise<Connection> {
      const connection = await Connection.dial({ host: "127.0.0.1", port, clientId: "c", tls: undefined, dialTimeoutMs: 5_000, clock });
      connection.speaks = new Map([[produce.key, produce.version]]);
      return connection;
    },
    /** Resolves when the `n`th request is there. */
    async asked(n: number): Promise<void> {
      while (requests.length < n) {
        await arrived.promise;
        arrived = Promise.withResolvers();
      }
    },
    /** What was asked last. */
    get last(): Buffer {
      return (requests.at(-1) as (typeof requests)[number]).frame;
    },
    /** The oldest request that has no answer. */
    answer(error = 0): void {
      const { id, socket } = requests.shift() as (typeof requests)[number];
      const writer = new Writer(256);
      writer.skip(4);
      writer.int32(id).array([topic], (name) =>
        writer.string(name).array([0], () => {
          writer.int32(0).int16(error).int64(7).int64(-1).int64(0);
          writer.array([], () => undefined).nullableString(undefined);
        }),
      );
      writer.int32(0);
      writer.int32At(0, writer.length - 4);
      socket.write(writer.written);
    },
  };
}

/** Each topic is led by one broker, by its place in the list. */
async function clusterOf(...topics: readonly string[]) {
  const brokers = await Promise.all(topics.map(broker));
  const connections = await Promise.all(brokers.map((one) => one.dial()));
  const cluster = {
    ground: { options: kafkaOptions.parse({ brokers: "127.0.0.1:1" }), clock },
    known: (name: string) => ({ name, id: "", leaders: [topics.indexOf(name)] }),
    link: (leader: number) => ({ connection: connections[leader]?.up ? connections[leader] : undefined }),
    async connection(leader: number) {
      const made = await (brokers[leader] as (typeof brokers)[number]).dial();
      connections[leader] = made;
      return made;
    },
    stale: () => undefined,
  };
  return { publishing: new Publishing(cluster as unknown as Cluster), brokers, connections };
}

function message(topic: string, also: () => void = () => undefined, attributes: Outgoing["attributes"] = {}) {
  const outcome = Promise.withResolvers<PubSubError | undefined>();
  const outgoing: Outgoing = {
    topic,
    data: Buffer.from("x"),
    attributes,
    done(error) {
      also();
      outcome.resolve(error);
    },
  };
  return { outgoing, outcome: outcome.promise };
}

test("what is published when a call is given up goes by a connection of its own, and is not lost with that one", async () => {
  const { publishing, brokers, connections } = await clusterOf("a");
  const [silent] = connections;
  const next = message("a");
  const first = message("a", () => publishing.publish([next.outgoing], new AbortController().signal));
  const giveUp = new AbortController();
  publishing.publish([first.outgoing], giveUp.signal);
  await brokers[0]?.asked(1);
  passed += 3_000;
  giveUp.abort();
  expect(await first.outcome).toMatchObject({ outcome: "unknown" });
  expect(silent?.up).toBe(false);
  await brokers[0]?.asked(2);
  brokers[0]?.answer();
  brokers[0]?.answer();
  expect(await next.outcome).toBeUndefined();
});

test("a record that the broker refuses is refused alone: what was published with it is not wrong", async () => {
  const { publishing, brokers } = await clusterOf("a");
  const [wrong, right] = [message("a"), message("a")];
  publishing.publish([wrong.outgoing, right.outgoing], new AbortController().signal);
  await brokers[0]?.asked(1);
  brokers[0]?.answer(87);
  await brokers[0]?.asked(1);
  brokers[0]?.answer(87);
  expect(await wrong.outcome).toMatchObject({ code: "invalid_argument", permanent: true });
  await brokers[0]?.asked(1);
  brokers[0]?.answer();
  expect(await right.outcome).toBeUndefined();
});

test("of a call that is given up, the connection to a broker that has answered stays", async () => {
  const { publishing, brokers, connections } = await clusterOf("a", "b");
  const [toA, toB] = [message("a"), message("b")];
  const giveUp = new AbortController();
  publishing.publish([toA.outgoing, toB.outgoing], giveUp.signal);
  await Promise.all(brokers.map((one) => one.asked(1)));
  brokers[1]?.answer();
  expect(await toB.outcome).toBeUndefined();
  passed += 3_000;
  giveUp.abort();
  expect(await toA.outcome).toMatchObject({ outcome: "unknown" });
  expect(connections.map((one) => one.up)).toEqual([false, true]);
});

test("one who has little patience ends no slow connection, which others wait for", async () => {
  const { publishing, brokers, connections } = await clusterOf("a");
  const giveUp = new AbortController();
  const [before, hasty, behind] = [message("a"), message("a"), message("a")];
  publishing.publish([before.outgoing], new AbortController().signal);
  publishing.publish([hasty.outgoing], giveUp.signal);
  publishing.publish([behind.outgoing], new AbortController().signal);
  await brokers[0]?.asked(3);
  passed += 1_000;
  giveUp.abort();
  expect(await hasty.outcome).toMatchObject({ outcome: "unknown" });
  expect(connections[0]?.up).toBe(true);
  for (let answers = 0; answers < 3; answers += 1) brokers[0]?.answer();
  expect(await before.outcome).toBeUndefined();
  expect(await behind.outcome).toBeUndefined();
});

test("a connection that has answered lately is kept, however long this call has waited", async () => {
  const { publishing, brokers, connections } = await clusterOf("a");
  const giveUp = new AbortController();
  const [before, late] = [message("a"), message("a")];
  publishing.publish([before.outgoing], new AbortController().signal);
  publishing.publish([late.outgoing], giveUp.signal);
  await brokers[0]?.asked(2);
  passed += 3_000;
  brokers[0]?.answer();
  expect(await before.outcome).toBeUndefined();
  giveUp.abort();
  expect(await late.outcome).toMatchObject({ outcome: "unknown" });
  expect(connections[0]?.up).toBe(true);
});

test("a key may be said as Dapr's apps say it", async () => {
  const { publishing, brokers } = await clusterOf("a");
  const keyed = message("a", undefined, { __key: "customer7" });
  publishing.publish([keyed.outgoing], new AbortController().signal);
  await brokers[0]?.asked(1);
  // As a header, and as the record's key.
  expect(brokers[0]?.last.toString("latin1").split("customer7")).toHaveLength(3);
  brokers[0]?.answer();
  expect(await keyed.outcome).toBeUndefined();
});
