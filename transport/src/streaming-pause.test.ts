import { afterEach, expect, test } from "vitest";
import { type ServerReceiver, streaming } from "./index.ts";
import { byHand, CHUNK, echo, MIB, PLENTY } from "./streaming.fixture.ts";
import { Bed, Conversation, pattern, reached, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

test("a client that pauses stops the server, whose messages then all come, in order", async () => {
  let waiting = 0;
  const stopped = Promise.withResolvers<void>();
  const server = await bed.serve({
    "/t.T/Much": streaming((call) => {
      let sent = 0;
      const go = () => {
        while (sent < PLENTY) {
          sent += 1;
          if (!call.send(pattern(CHUNK, sent))) {
            waiting = sent;
            stopped.resolve();
            return;
          }
        }
        call.end();
      };
      return { message: go, end: () => undefined, drained: go };
    }),
  });
  const talk = new Conversation(bed.client(server.address), "/t.T/Much");
  talk.stream.pause();
  talk.stream.send(Buffer.from("go"));
  talk.stream.end();
  await stopped.promise;
  expect(waiting).toBeLessThan(PLENTY / 2);
  expect(talk.messages).toEqual([]);
  talk.stream.resume();
  await talk.end;
  expect(talk.messages.length).toBe(PLENTY);
  for (const [index, message] of talk.messages.entries()) expect(pattern(CHUNK, index + 1).equals(message)).toBe(true);
});

test("a server that pauses stops the client, whose messages then all come, in order", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const talk = new Conversation(bed.client(server.address), "/t.T/Hand");
  talk.stream.send(Buffer.from("begin"));
  const call = await hand.opened;
  call.pause();
  let sent = 0;
  while (talk.stream.send(pattern(CHUNK, sent))) sent += 1;
  sent += 1;
  expect(sent).toBeLessThan(PLENTY);
  call.resume();
  for (; sent < PLENTY; sent++) await talk.send(pattern(CHUNK, sent));
  talk.stream.end();
  await hand.ended;
  call.end();
  await talk.end;
  const [first, ...rest] = hand.received;
  expect(text(first ?? new Uint8Array())).toBe("begin");
  expect(rest.length).toBe(PLENTY);
  for (const [index, message] of rest.entries()) expect(pattern(CHUNK, index).equals(message)).toBe(true);
});

test.for([1, 1_000, 20_000, 100_000])(
  "a sender of %i bytes at a time is told of room only after it was told that there is none",
  async (bytes) => {
    const COUNT = Math.ceil((4 * MIB) / bytes / (bytes === 1 ? 256 : 1));
    let full = 0;
    let drained = 0;
    let inside = false;
    const server = await bed.serve({
      "/t.T/Much": streaming((call) => {
        let sent = 0;
        const go = () => {
          while (sent < COUNT) {
            sent += 1;
            inside = true;
            const room = call.send(pattern(bytes, sent));
            inside = false;
            if (!room) {
              full += 1;
              return;
            }
          }
          call.end();
        };
        return {
          message: go,
          end: () => undefined,
          drained: () => {
            expect(inside).toBe(false);
            drained += 1;
            go();
          },
        };
      }),
    });
    const talk = new Conversation(bed.client(server.address), "/t.T/Much");
    talk.stream.send(Buffer.from("go"));
    talk.stream.end();
    await talk.end;
    expect(talk.messages.length).toBe(COUNT);
    for (const [index, message] of talk.messages.entries()) expect(message[0]).toBe((index + 1) & 0xff);
    expect(drained).toBe(full);
  },
);

test("a client that was told to wait for a connection is told when there is one", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const talk = new Conversation(bed.client(server.address), "/t.T/Hand");
  await talk.send(Buffer.from("early"));
  talk.stream.end();
  await hand.ended;
  expect(hand.received.map(text)).toEqual(["early"]);
});

test.for([
  ["has ended too", true],
  ["has not", false],
] as const)("a paused client gets all that was sent, and the end, after the server has ended and it %s", async ([, halfClosed]) => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler, "/t.T/Echo": echo });
  const client = bed.client(server.address);
  const talk = new Conversation(client, "/t.T/Hand");
  talk.stream.pause();
  talk.stream.send(Buffer.from("begin"));
  if (halfClosed) talk.stream.end();
  const call = await hand.opened;
  for (const word of ["kept", "for", "later"]) call.send(Buffer.from(word));
  call.end();
  // An answer on the same connection: all before it has come.
  const other = new Conversation(client, "/t.T/Echo");
  other.stream.send(Buffer.from("x"));
  await other.next();
  expect(talk.messages).toEqual([]);
  talk.stream.resume();
  await talk.end;
  expect(talk.messages.map(text)).toEqual(["kept", "for", "later"]);
  expect(talk.wrongs).toEqual([]);
});

test("a paused client keeps an answer that is whole, though the connection is lost", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const client = bed.client(server.address);
  const talk = new Conversation(client, "/t.T/Hand");
  talk.stream.pause();
  talk.stream.send(Buffer.from("begin"));
  const call = await hand.opened;
  call.send(Buffer.from("whole"));
  call.end();
  await Promise.all([server.close(), reached(client, "idle")]);
  talk.stream.resume();
  await talk.end;
  expect(talk.messages.map(text)).toEqual(["whole"]);
});

test("pausing holds at once, though more messages came in the same frame", async () => {
  const COUNT = 500;
  const received: string[] = [];
  const done = Promise.withResolvers<void>();
  let running = false;
  const server = await bed.serve({
    "/t.T/OneByOne": streaming(
      (call): ServerReceiver => ({
        message(message) {
          expect(running, "the one before is still worked on").toBe(false);
          running = true;
          call.pause();
          received.push(text(message));
          setImmediate(() => {
            running = false;
            call.resume();
          });
        },
        end() {
          expect(running, "the last one is still worked on").toBe(false);
          call.end();
          done.resolve();
        },
      }),
    ),
  });
  const session = bed.session(server.address as { host: string; port: number });
  const stream = session.request({ ":method": "POST", ":path": "/t.T/OneByOne", "content-type": "application/grpc", te: "trailers" });
  const messages = Array.from({ length: COUNT }, (_, index) => Buffer.from(String(index)));
  stream.end(Buffer.concat(messages.flatMap((message) => [Buffer.from([0, 0, 0, 0, message.length]), message])));
  let status: unknown;
  stream.on("trailers", (trailers) => {
    status = trailers["grpc-status"];
  });
  stream.on("response", (headers) => {
    status ??= headers["grpc-status"];
  });
  stream.resume();
  await done.promise;
  await new Promise((resolve) => stream.once("close", resolve));
  expect(status).toBe("0");
  expect(received).toEqual(messages.map(String));
});

test("a client that pauses at each message gets them one by one, and the end behind them", async () => {
  const COUNT = 300;
  const server = await bed.serve({
    "/t.T/Burst": streaming((call) => ({
      message() {
        // Beyond the first window: they leave in frames that hold several.
        for (let index = 0; index < COUNT; index++) call.send(pattern(2_000, index));
        call.end();
      },
      end: () => undefined,
    })),
  });
  let running = false;
  const wrongs: string[] = [];
  const got: Uint8Array[] = [];
  await new Promise<void>((resolve, reject) => {
    const stream = bed.client(server.address).stream("/t.T/Burst", {
      message(message) {
        if (running) wrongs.push("message");
        running = true;
        stream.pause();
        got.push(message);
        setImmediate(() => {
          running = false;
          stream.resume();
        });
      },
      ended() {
        if (running) wrongs.push("end");
        resolve();
      },
      failed: reject,
    });
    stream.send(Buffer.from("go"));
    stream.end();
  });
  expect(wrongs).toEqual([]);
  expect(got.length).toBe(COUNT);
  for (const [index, message] of got.entries()) expect(pattern(2_000, index).equals(message)).toBe(true);
});

test("one paused stream does not stop the others on its connection", async () => {
  const server = await bed.serve({
    "/t.T/Echo": echo,
    "/t.T/Flood": streaming((call) => {
      const go = () => {
        for (let sent = 0; sent < PLENTY && call.send(pattern(CHUNK)); sent++);
      };
      return { message: go, end: () => undefined };
    }),
  });
  const client = bed.client(server.address);
  const paused = Array.from({ length: 20 }, () => new Conversation(client, "/t.T/Flood"));
  for (const talk of paused) {
    talk.stream.pause();
    talk.stream.send(Buffer.from("go"));
  }
  const talk = new Conversation(client, "/t.T/Echo");
  for (let turn = 0; turn < 20; turn++) {
    talk.stream.send(pattern(CHUNK, turn));
    expect(pattern(CHUNK, turn).equals(await talk.next())).toBe(true);
  }
  for (const one of paused) one.stream.cancel();
});
