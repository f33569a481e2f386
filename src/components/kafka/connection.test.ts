import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { type Clock, systemClock } from "../../pubsub/clock.ts";
import { Connection } from "./connection.ts";
import type { Api } from "./wire/api.ts";

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** Somebody who answers, or does not, as the test says. */
async function dial(serve: (socket: Socket) => void, clock: Clock = systemClock): Promise<Connection> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    serve(socket);
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return Connection.dial({ host: "127.0.0.1", port, clientId: "c", tls: undefined, dialTimeoutMs: 5_000, clock });
}

const echo: Api<string, string> = {
  name: "Echo",
  key: 99,
  version: 0,
  write: (writer, text) => writer.string(text),
  read: (reader) => reader.string(),
};

/** Every request is answered with its own text, in pieces of these sizes. */
function echoing(sizes: readonly number[]): (socket: Socket) => void {
  return (socket) => {
    let bytes = Buffer.alloc(0);
    let turn = 0;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const answers: Buffer[] = [];
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const frame = bytes.subarray(4, 4 + bytes.readInt32BE(0));
        bytes = bytes.subarray(4 + frame.length);
        const text = frame.subarray(8 + 2 + frame.readInt16BE(8));
        const head = Buffer.alloc(8);
        head.writeInt32BE(4 + text.length, 0);
        frame.copy(head, 4, 4, 8);
        answers.push(head, text);
      }
      let all = Buffer.concat(answers);
      while (all.length > 0) {
        const size = sizes[turn++ % sizes.length] ?? 1;
        socket.write(all.subarray(0, size));
        all = all.subarray(size);
      }
    });
  };
}

test("answers are put together however they are cut", async () => {
  const scene = fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 }),
    texts: fc.array(fc.string({ unit: "grapheme", maxLength: 50 }), { minLength: 1, maxLength: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(scene, async ({ sizes, texts }) => {
      const connection = await dial(echoing(sizes));
      expect(await Promise.all(texts.map((text) => connection.call(echo, text, 5_000)))).toEqual(texts);
      connection.drop("the test is over");
    }),
    { numRuns: 30 },
  );
});

test("a request that is not answered in time ends the connection, and all that it owes may have been done", async () => {
  const connection = await dial(() => undefined);
  const calls = [connection.call(echo, "a", 150), connection.call(echo, "b", 60_000)];
  for (const call of calls) await expect(call).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
  await expect(connection.call(echo, "c", 150)).rejects.toMatchObject({ code: "unavailable", outcome: "rejected" });
});

test("while a broker throttles it is not silent: what waits has its time from when it listens again", async () => {
  const THROTTLED_MS = 30_000;
  const WAIT_MS = 5_000;
  const [answer, slow] = [Buffer.alloc(12), Buffer.alloc(12)];
  for (const [index, bytes] of [answer, slow].entries()) {
    bytes.writeInt32BE(8, 0);
    bytes.writeInt32BE(index + 1, 4);
  }
  answer.writeInt32BE(THROTTLED_MS, 8);
  const throttling: Api<undefined, number> = {
    ...{ name: "Throttling", key: 98, version: 0, write: () => undefined },
    read(reader) {
      reader.throttled();
      return reader.throttleMs;
    },
  };
  const clock = new SteppedClock();
  let listening: Socket | undefined;
  const connection = await dial((socket) => {
    listening = socket;
    socket.once("data", () => socket.write(answer));
  }, clock);
  const [first, second] = [connection.call(throttling, undefined, WAIT_MS), connection.call(throttling, undefined, WAIT_MS)];
  expect(await first).toBe(THROTTLED_MS);
  clock.advance(THROTTLED_MS + WAIT_MS - 1_000);
  expect([connection.up, connection.silentMs]).toEqual([true, WAIT_MS - 1_000]);
  listening?.write(slow);
  expect(await second).toBe(0);
  const third = connection.call(throttling, undefined, WAIT_MS);
  clock.advance(WAIT_MS);
  await expect(third).rejects.toThrow(/not answered in time/);
});

test("who is no Kafka is told apart", async () => {
  const connection = await dial((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await expect(connection.call(echo, "a", 5_000)).rejects.toMatchObject({ code: "unavailable" });
  const other = await dial((socket) => socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 77])));
  await expect(other.call(echo, "a", 5_000)).rejects.toThrow(/what was not asked/);
});

test("an answer that ends before it should is the broker's fault, and harms no other", async () => {
  let seen = 0;
  const connection = await dial((socket) => {
    socket.on("data", () => {
      seen += 1;
      const text = seen === 1 ? [0, 0, 0, 6, 0, 0, 0, 1, 0, 9] : [0, 0, 0, 8, 0, 0, 0, 2, 0, 2, 0x6f, 0x6b];
      socket.write(Buffer.from(text));
    });
  });
  await expect(connection.call(echo, "a", 5_000)).rejects.toMatchObject({ code: "internal", outcome: "unknown" });
  expect(await connection.call(echo, "b", 5_000)).toBe("ok");
  connection.drop("the test is over");
});

test("a connection that is to end does so once it owes nothing", async () => {
  const connection = await dial(echoing([100]));
  const ended = new Promise((resolve) => connection.onEnd(resolve));
  const call = connection.call(echo, "a", 5_000);
  connection.retire();
  expect(await call).toBe("a");
  await ended;
  expect(connection.up).toBe(false);
});
