import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { redisOptions } from "./config.ts";
import { Connection } from "./connection.ts";
import { Dials } from "./dial.ts";
import { playRedis } from "./played-redis.fixture.ts";
import { ReplyReader } from "./resp.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test("a server that lets us in and is of no use is asked ever more seldom; one that was of use for a while is asked soon", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    const reader = new ReplyReader(() => socket.write("+OK\r\n"));
    socket.on("data", (chunk) => reader.push(chunk));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const clock = new SteppedClock();
  const options = redisOptions.parse({ redisHost: "127.0.0.1", redisMinRetryInterval: 10, redisMaxRetryInterval: 500 });
  const events = new EventEmitter();
  const listener = { up: () => events.emit("up"), down: () => events.emit("down"), demoted: () => undefined };
  const connection = new Connection(new Dials(options, clock).to({ host: "127.0.0.1", port }, "test"), 1e6, listener);
  cleanups.push(
    () => server.close(),
    () => connection.close(),
  );
  /** How long it waits until it tries again after it is cut. Resolves once it stands. */
  const again = async (): Promise<number> => {
    const [down, up] = [once(events, "down"), once(events, "up")];
    sockets.at(-1)?.destroy();
    await down;
    const from = clock.now();
    while (clock.timers > 0) clock.advance(1);
    const waited = clock.now() - from;
    await up;
    return waited;
  };
  const stands = once(events, "up");
  connection.open();
  await stands;
  const waits: number[] = [];
  for (let times = 0; times < 8; times++) waits.push(await again());
  expect(waits).toEqual([10, 20, 40, 80, 160, 320, 500, 500]);
  clock.advance(500);
  expect(await again()).toBe(10);
});

/** A connection to a server whose EXEC is answered so. */
async function refusing(exec: string): Promise<Connection> {
  const { port, close } = await playRedis((command = "") => (command.toLowerCase() === "exec" ? `-${exec}\r\n` : "+OK\r\n"));
  const options = redisOptions.parse({ redisHost: "127.0.0.1" });
  const up = Promise.withResolvers<void>();
  const listener = { up: up.resolve, down: () => undefined, demoted: () => undefined };
  const connection = new Connection(new Dials(options, systemClock).to({ host: "127.0.0.1", port }, "test"), 1e6, listener);
  cleanups.push(close, () => connection.close());
  connection.open();
  await up.promise;
  return connection;
}

const TWO = [
  ["xadd", ["a"]],
  ["xadd", ["b"]],
] as const;

test("a topic that has moved before EXEC costs neither the connection nor the way of asking", async () => {
  const connection = await refusing("MOVED 1 127.0.0.1:1");
  const told = Promise.withResolvers<PubSubError | undefined>();
  connection.together(TWO, told.resolve);
  expect(await told.promise).toMatchObject({ message: expect.stringContaining("MOVED") });
  expect([String(await connection.call("ping")), connection.transacts]).toEqual(["OK", true]);
});

test("what is asked when a connection is given up is refused at once, and all that it owes is told", async () => {
  const connection = await refusing("ERR unknown command");
  const told: (string | undefined)[] = [];
  const both = Promise.withResolvers<void>();
  connection.together(TWO, () => undefined);
  connection.send("ping", [], (error) => {
    told.push(error?.outcome);
    connection.send("ping", [], (why) => {
      told.push(why?.outcome);
      both.resolve();
    });
  });
  await both.promise;
  expect(told).toEqual(["unknown", "rejected"]);
});
