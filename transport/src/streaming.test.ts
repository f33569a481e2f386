import { once } from "node:events";
import { credentials, Client as GrpcJsClient, Server as GrpcJsServer, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { type ServerReceiver, type ServerStream, Status, streaming } from "./index.ts";
import { Bed, Conversation, call, failure, outcome, pattern, reached, tcp, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

const MIB = 2 ** 20;
/** Both windows and the socket buffers of both ends are far smaller. */
const PLENTY = 64;
const CHUNK = 256 * 1024;

/** Sends each message back. */
const echo = streaming((call) => ({ message: (message) => void call.send(message), end: () => call.end() }));

/** A handler whose call the test works on by hand. */
function byHand(): { opened: Promise<ServerStream>; handler: ReturnType<typeof streaming>; received: Uint8Array[]; ended: Promise<void> } {
  const opened = Promise.withResolvers<ServerStream>();
  const ended = Promise.withResolvers<void>();
  const received: Uint8Array[] = [];
  const handler = streaming((call) => {
    opened.resolve(call);
    return { message: (message) => void received.push(message), end: ended.resolve };
  });
  return { opened: opened.promise, handler, received, ended: ended.promise };
}

test("a client sends many messages and gets one answer", async () => {
  const server = await bed.serve({
    "/t.T/Sum": streaming((call) => {
      let sum = 0;
      return {
        message: (message) => {
          sum += Number(text(message));
        },
        end: () => {
          call.send(Buffer.from(String(sum)));
          call.end();
        },
      };
    }),
  });
  const talk = new Conversation(bed.client(server.address), "/t.T/Sum");
  for (let number = 1; number <= 100; number++) talk.stream.send(Buffer.from(String(number)));
  talk.stream.end();
  await talk.end;
  expect(talk.messages.map(text)).toEqual(["5050"]);
});

test("a server answers one message with many", async () => {
  const server = await bed.serve({
    "/t.T/Count": streaming((call) => ({
      message(message) {
        for (let number = 0; number < Number(text(message)); number++) call.send(Buffer.from(String(number)));
        call.end();
      },
      end: () => undefined,
    })),
  });
  const talk = new Conversation(bed.client(server.address), "/t.T/Count");
  talk.stream.send(Buffer.from("1000"));
  talk.stream.end();
  await talk.end;
  expect(talk.messages.map(text)).toEqual(Array.from({ length: 1_000 }, (_, number) => String(number)));
});

test("both sides talk in turn", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const talk = new Conversation(bed.client(server.address), "/t.T/Echo");
  for (let turn = 0; turn < 20; turn++) {
    talk.stream.send(Buffer.from(`turn ${turn}`));
    expect(text(await talk.next())).toBe(`turn ${turn}`);
  }
  talk.stream.end();
  await talk.end;
  expect(talk.wrongs).toEqual([]);
});

test("a unary method can be called as a stream, and a streaming one as unary", async () => {
  const server = await bed.serve({ "/t.T/Unary": (request, answer) => answer.respond(request), "/t.T/Stream": echo });
  const client = bed.client(server.address);
  const talk = new Conversation(client, "/t.T/Unary");
  talk.stream.send(Buffer.from("one"));
  talk.stream.end();
  await talk.end;
  expect(talk.messages.map(text)).toEqual(["one"]);
  const answer = await new Promise<Uint8Array>((response, failed) => {
    client.unary("/t.T/Stream", Buffer.from("two"), { response, failed });
  });
  expect(text(answer)).toBe("two");
});

test("empty messages arrive as messages", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const talk = new Conversation(bed.client(server.address), "/t.T/Echo");
  for (let number = 0; number < 3; number++) talk.stream.send(new Uint8Array());
  talk.stream.end();
  await talk.end;
  expect(talk.messages.map((message) => message.length)).toEqual([0, 0, 0]);
});

test("a stream without a message on either side ends with OK", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const talk = new Conversation(bed.client(server.address), "/t.T/Echo");
  talk.stream.end();
  await talk.end;
  expect(talk.messages).toEqual([]);
});

test("what a client says after its last message is not sent", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const client = bed.client(server.address);
  const early = new Conversation(client, "/t.T/Echo");
  for (const talk of [early, new Conversation(client, "/t.T/Echo")]) {
    talk.stream.send(Buffer.from("last"));
    talk.stream.end();
    expect(talk.stream.send(Buffer.from("too late"))).toBe(true);
    talk.stream.end();
    await talk.end;
    expect(talk.messages.map(text)).toEqual(["last"]);
  }
  const open = new Conversation(client, "/t.T/Echo");
  open.stream.send(Buffer.from("a"));
  expect(text(await open.next())).toBe("a");
  open.stream.end();
  open.stream.send(Buffer.from("too late"));
  await open.end;
  expect(open.messages.length).toBe(1);
});

test("the client may end first, and the server still sends", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const talk = new Conversation(bed.client(server.address), "/t.T/Hand");
  talk.stream.end();
  const call = await hand.opened;
  await hand.ended;
  for (const word of ["still", "here"]) {
    call.send(Buffer.from(word));
    expect(text(await talk.next())).toBe(word);
  }
  call.end();
  await talk.end;
});

test("the server may end before the client has, and what the client then sends is ignored", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler, "/t.T/Echo": echo });
  const client = bed.client(server.address);
  const talk = new Conversation(client, "/t.T/Hand");
  talk.stream.send(Buffer.from("begin"));
  const call = await hand.opened;
  call.send(Buffer.from("enough"));
  call.end();
  await talk.end;
  expect(talk.messages.map(text)).toEqual(["enough"]);
  expect(talk.stream.send(pattern(CHUNK))).toBe(true);
  talk.stream.end();
  talk.stream.cancel();
  const other = new Conversation(client, "/t.T/Echo");
  other.stream.send(Buffer.from("alive"));
  expect(text(await other.next())).toBe("alive");
  expect(talk.wrongs).toEqual([]);
});

test("a server that ends while the client is in the middle of a lot ends the call once", async () => {
  const server = await bed.serve({
    "/t.T/First": streaming((call) => ({
      message: (message) => {
        call.send(message.subarray(0, 1));
        call.end();
      },
      end: () => undefined,
    })),
  });
  const talk = new Conversation(bed.client(server.address), "/t.T/First");
  let sent = 0;
  while (sent < PLENTY && talk.stream.send(pattern(CHUNK))) sent += 1;
  await talk.end;
  expect(talk.messages.length).toBe(1);
  expect(talk.wrongs).toEqual([]);
});

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

test("a paused client whose answer is whole can still cancel, or run out of time", async () => {
  const server = await bed.serve({
    "/t.T/Whole": streaming((call) => ({
      message: (message) => {
        call.send(message);
        call.end();
      },
      end: () => undefined,
    })),
    "/t.T/Echo": echo,
  });
  const client = bed.client(server.address);
  const talks = [{}, { deadline: Date.now() + 200 }].map((options) => new Conversation(client, "/t.T/Whole", options));
  for (const talk of talks) {
    talk.stream.pause();
    talk.stream.send(Buffer.from("x"));
  }
  const other = new Conversation(client, "/t.T/Echo");
  other.stream.send(Buffer.from("x"));
  await other.next();
  talks[0]?.stream.cancel();
  expect(await Promise.all(talks.map(async (talk) => (await failure(talk.end)).code))).toEqual([
    Status.CANCELLED,
    Status.DEADLINE_EXCEEDED,
  ]);
  for (const talk of talks) talk.stream.resume();
  expect(talks.flatMap((talk) => [...talk.messages, ...talk.wrongs])).toEqual([]);
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

test("a cancellation in the middle reaches the handler once", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const talk = new Conversation(bed.client(server.address), "/t.T/Hand");
  talk.stream.send(Buffer.from("begin"));
  const call = await hand.opened;
  let cancelled = 0;
  const told = new Promise<void>((resolve) => {
    call.onCancel(() => {
      cancelled += 1;
      resolve();
    });
  });
  call.send(Buffer.from("going on"));
  await talk.next();
  talk.stream.cancel();
  expect(await outcome(talk.end)).toEqual([Status.CANCELLED, "connection"]);
  await told;
  // Told at once, since it has happened.
  let late = 0;
  call.onCancel(() => {
    late += 1;
  });
  expect([cancelled, late]).toEqual([1, 1]);
  expect(call.send(Buffer.from("ignored"))).toBe(true);
  call.end();
  call.fail(Status.INTERNAL, "ignored");
  talk.stream.cancel();
  expect(talk.wrongs).toEqual([]);
});

test("a cancellation reaches a handler whose client is paused and has ended its own side", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const talk = new Conversation(bed.client(server.address), "/t.T/Hand");
  talk.stream.end();
  const call = await hand.opened;
  await hand.ended;
  call.pause();
  const told = new Promise<void>((resolve) => call.onCancel(resolve));
  talk.stream.cancel();
  await told;
});

test("a deadline ends a stream on both sides", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const talk = new Conversation(bed.client(server.address), "/t.T/Hand", { deadline: Date.now() + 200 });
  talk.stream.send(Buffer.from("begin"));
  const call = await hand.opened;
  const told = new Promise<void>((resolve) => call.onCancel(resolve));
  expect((await failure(talk.end)).code).toBe(Status.DEADLINE_EXCEEDED);
  await told;
});

test.for(["open", "message", "end"] as const)("what is thrown in %s is answered INTERNAL, and told", async (where) => {
  const errors: unknown[] = [];
  const boom = (here: string) => {
    if (here === where) throw new Error(`boom in ${here}`);
  };
  const throwing = streaming((call) => {
    boom("open");
    return {
      message: () => boom("message"),
      end: () => {
        boom("end");
        call.end();
      },
    };
  });
  const server = await bed.serve(
    { "/t.T/Throw": throwing, "/t.T/Echo": echo },
    { onError: (error, path) => void errors.push([String(error), path]) },
  );
  const client = bed.client(server.address);
  const talk = new Conversation(client, "/t.T/Throw");
  talk.stream.send(Buffer.from("a"));
  talk.stream.end();
  const error = await failure(talk.end);
  expect([error.code, error.from]).toEqual([Status.INTERNAL, "peer"]);
  expect(error.details).not.toContain("boom");
  expect(errors).toEqual([[`Error: boom in ${where}`, "/t.T/Throw"]]);
  const other = new Conversation(client, "/t.T/Echo");
  other.stream.send(Buffer.from("alive"));
  expect(text(await other.next())).toBe("alive");
});

test.for([4, 20])("a message of %i MiB goes there and back where the limits allow it", async (mib) => {
  const maxMessageBytes = mib * MIB;
  const server = await bed.serve({ "/t.T/Echo": echo, "/t.T/Unary": (request, answer) => answer.respond(request) }, { maxMessageBytes });
  const client = bed.client(server.address, { maxMessageBytes });
  const message = pattern(maxMessageBytes);
  const talk = new Conversation(client, "/t.T/Echo");
  talk.stream.send(message);
  talk.stream.end();
  await talk.end;
  expect(talk.messages.length).toBe(1);
  expect(message.equals(talk.messages[0] as Uint8Array)).toBe(true);
  const answer = await new Promise<Uint8Array>((response, failed) => {
    client.unary("/t.T/Unary", message, { response, failed });
  });
  expect(message.equals(answer)).toBe(true);
});

test("a message that is a byte too large ends the stream with RESOURCE_EXHAUSTED, in either direction", async () => {
  const big = streaming((call) => ({ message: () => void call.send(new Uint8Array(1_001)), end: () => undefined }));
  const server = await bed.serve({ "/t.T/Echo": echo, "/t.T/Big": big }, { maxMessageBytes: 1_000 });
  const client = bed.client(server.address, { maxMessageBytes: 1_000 });
  for (const [path, bytes] of [
    ["/t.T/Echo", 1_001],
    ["/t.T/Big", 1],
  ] as const) {
    const talk = new Conversation(client, path);
    talk.stream.send(new Uint8Array(bytes));
    const error = await failure(talk.end);
    expect([error.code, error.from]).toEqual([Status.RESOURCE_EXHAUSTED, "peer"]);
    expect(error.details).toContain("1000");
  }
  const talk = new Conversation(client, "/t.T/Echo");
  talk.stream.send(new Uint8Array(1_000));
  expect((await talk.next()).length).toBe(1_000);
});

test("what is beyond the bytes that may wait ends its own call, at either side, and no other", async () => {
  const large = pattern(3 * MIB);
  const limits = { maxQueuedBytes: MIB };
  const server = await bed.serve(
    {
      "/t.T/Echo": echo,
      "/t.T/Large": (_, answer) => answer.respond(large),
      "/t.T/LargeStream": streaming((call) => ({
        message: () => {
          call.send(large);
          call.end();
        },
        end: () => undefined,
      })),
    },
    { limits },
  );
  const client = bed.client(server.address, { limits });
  // Before there is a connection, too.
  const early = new Conversation(client, "/t.T/Echo");
  early.stream.send(large);
  early.stream.end();
  expect((await failure(early.end)).code).toBe(Status.RESOURCE_EXHAUSTED);
  const states: string[] = [];
  client.onState((state) => states.push(state));
  expect((await failure(call(client, "/t.T/Large", ""))).code).toBe(Status.RESOURCE_EXHAUSTED);
  expect((await failure(call(client, "/t.T/Echo", large))).code).toBe(Status.RESOURCE_EXHAUSTED);
  const talk = new Conversation(client, "/t.T/LargeStream");
  talk.stream.send(Buffer.from("go"));
  expect((await failure(talk.end)).code).toBe(Status.RESOURCE_EXHAUSTED);
  const other = new Conversation(client, "/t.T/Echo");
  other.stream.send(Buffer.from("on"));
  expect(text(await other.next())).toBe("on");
  expect(states).toEqual([]);
});

test("four hundred streams at once each get their own messages", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const client = bed.client(server.address);
  const talks = Array.from({ length: 400 }, () => new Conversation(client, "/t.T/Echo"));
  for (let round = 0; round < 5; round++) for (const [index, talk] of talks.entries()) talk.stream.send(Buffer.from(`${index}:${round}`));
  for (const talk of talks) talk.stream.end();
  await Promise.all(talks.map((talk) => talk.end));
  for (const [index, talk] of talks.entries()) {
    expect(talk.messages.map(text)).toEqual(Array.from({ length: 5 }, (_, round) => `${index}:${round}`));
  }
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

describe("10 MiB each way with grpc-js, whose readers stop now and then", () => {
  const bytes = 64 * 1024;
  const count = (10 * MIB) / bytes;
  const same = (value: Buffer) => value;
  const method = { path: "/t.T/Echo", requestStream: true, responseStream: true } as const;
  const codec = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };

  function inOrder(messages: readonly Uint8Array[]): void {
    expect(messages.length).toBe(count);
    for (const [index, message] of messages.entries()) expect(pattern(bytes, index).equals(message)).toBe(true);
  }

  test("our client and its server", async () => {
    const server = new GrpcJsServer();
    const echoed = (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (message: Buffer) => {
        if (!call.write(message)) call.pause();
      });
      call.on("drain", () => call.resume());
      call.on("end", () => call.end());
    };
    server.addService({ echo: { ...method, ...codec } }, { echo: echoed });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    bed.after(() => server.forceShutdown());
    const talk = new Conversation(bed.client({ host: "127.0.0.1", port }), "/t.T/Echo");
    talk.stream.pause();
    const sending = (async () => {
      for (let index = 0; index < count; index++) await talk.send(pattern(bytes, index));
      talk.stream.end();
    })();
    // The client has stopped the server, which in turn has stopped the client.
    let whole = false;
    void sending.then(() => {
      whole = true;
    });
    for (let got = 0; got < count; got += 40) {
      talk.stream.resume();
      while (talk.messages.length < Math.min(got + 40, count)) await talk.next();
      if (got === 0) expect(whole).toBe(false);
      talk.stream.pause();
    }
    talk.stream.resume();
    await Promise.all([sending, talk.end]);
    inOrder(talk.messages);
    expect(talk.wrongs).toEqual([]);
  });

  test("our server and its client", async () => {
    const server = await bed.serve({
      "/t.T/Echo": streaming((call) => ({
        message: (message) => {
          if (!call.send(message)) call.pause();
        },
        drained: () => call.resume(),
        end: () => call.end(),
      })),
    });
    const client = new GrpcJsClient(`127.0.0.1:${tcp(server).port}`, credentials.createInsecure());
    bed.after(() => client.close());
    const call = client.makeBidiStreamRequest(method.path, same, same);
    const ended = once(call, "status");
    const sending = (async () => {
      for (let index = 0; index < count; index++) if (!call.write(pattern(bytes, index))) await once(call, "drain");
      call.end();
    })();
    const messages: Buffer[] = [];
    for await (const message of call) {
      messages.push(message);
      if (messages.length % 10 === 0) await new Promise(setImmediate);
    }
    await sending;
    expect((await ended)[0].code).toBe(Status.OK);
    inOrder(messages);
  });
});
