import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { redisOptions } from "./config.ts";
import { Connection } from "./connection.ts";
import { Dials } from "./dial.ts";
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
