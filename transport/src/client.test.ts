import { once } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import { connect as dial, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { echo, LOST, nth, proxy, UNSENT } from "./client.fixture.ts";
import { type ConnectionState, connect, type RpcError, Status, streaming } from "./index.ts";
import { answerOk, Bed, Conversation, call, failure, freePort, outcome, reached, tcp, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

test("nothing happens before the first call; then it connects and is ready", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const client = bed.client(server.address);
  const states: ConnectionState[] = [client.state];
  client.onState((state) => states.push(state));
  await call(client, "/t.T/Echo", "");
  expect(states).toEqual(["idle", "connecting", "ready"]);
  client.wake();
  await call(client, "/t.T/Echo", "");
  expect(states.length).toBe(3);
});

test("it is woken without a call, and told of no state after it has asked not to be", async () => {
  const server = await bed.serve({});
  const client = bed.client(server.address);
  const states: ConnectionState[] = [];
  const off = client.onState((state) => states.push(state));
  client.wake();
  off();
  await reached(client, "ready");
  expect(states).toEqual(["connecting"]);
});

test("a client that is ready and loses its server is idle, and connects at the next call", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const client = bed.client(server.address);
  await call(client, "/t.T/Echo", "");
  const states: ConnectionState[] = [];
  client.onState((state) => states.push(state));
  const idle = reached(client, "idle");
  await server.close();
  await idle;
  const next = bed.serve({ "/t.T/Echo": echo }, {}, server.address);
  await next;
  expect(text(await call(client, "/t.T/Echo", "again"))).toBe("again");
  expect(states).toEqual(["idle", "connecting", "ready"]);
});

test("a server that cannot be reached is tried until it is there, without a call", async () => {
  const address = { host: "127.0.0.1", port: await freePort() };
  const client = bed.client(address, { maxBackoffMs: 50 });
  const states: ConnectionState[] = [];
  client.onState((state) => states.push(state));
  expect(await outcome(call(client, "/t.T/Echo", ""))).toEqual(UNSENT);
  expect(client.state).toBe("unreachable");
  const ready = reached(client, "ready");
  await bed.serve({ "/t.T/Echo": echo }, {}, address);
  await ready;
  expect(states).toEqual(["connecting", "unreachable", "ready"]);
});

test("the error says which address, and why", async () => {
  const port = await freePort();
  const error = await failure(call(bed.client({ host: "127.0.0.1", port }), "/t.T/Echo", ""));
  expect(error.details).toContain(`127.0.0.1:${port}`);
  expect(error.details).toContain("ECONNREFUSED");
});

test("a call fails at once while the server is unreachable, also while an attempt is under way", async () => {
  const port = await freePort();
  const client = bed.client({ host: "127.0.0.1", port });
  await outcome(call(client, "/t.T/Echo", ""));
  expect(await outcome(call(client, "/t.T/Echo", ""))).toEqual(UNSENT);
  const attempt = Promise.withResolvers<void>();
  await bed.tcp(() => attempt.resolve(), port);
  await attempt.promise;
  expect(await outcome(call(client, "/t.T/Echo", ""))).toEqual(UNSENT);
  expect(client.state).toBe("unreachable");
});

test("no call is over before its caller has it", async () => {
  const client = bed.client({ host: "127.0.0.1", port: await freePort() });
  await outcome(call(client, "/t.T/Echo", ""));
  client.wake();
  for (const deadline of [undefined, Date.now()]) {
    await new Promise<void>((resolve, reject) => {
      let inHand = false;
      const failed = () => (inHand ? resolve() : reject(new Error("too early")));
      const response = () => reject(new Error("the call succeeded"));
      client.unary("/t.T/Echo", new Uint8Array(), { response, failed }, deadline === undefined ? {} : { deadline });
      inHand = true;
    });
  }
});

test("when the connection is lost each call fails once, and the server may have seen it", async () => {
  const arrived = nth(50);
  const server = await bed.serve({
    "/t.T/Hang": arrived.hit,
    "/t.T/HangStream": streaming(() => ({ message: arrived.hit, end: () => undefined })),
  });
  const between = await proxy(bed, tcp(server));
  const client = bed.client(between.address);
  const outcomes: RpcError[] = [];
  let ended = 0;
  const allEnded = nth(50);
  for (let index = 0; index < 25; index++) {
    client.unary("/t.T/Hang", new Uint8Array(), {
      response: () => expect.unreachable(),
      failed: (error) => {
        outcomes.push(error);
        ended += 1;
        allEnded.hit();
      },
    });
  }
  const talks = Array.from({ length: 25 }, () => new Conversation(client, "/t.T/HangStream"));
  for (const talk of talks) {
    talk.stream.send(new Uint8Array());
    talk.end.catch((error: RpcError) => {
      outcomes.push(error);
      allEnded.hit();
    });
  }
  await arrived.reached;
  between.cut();
  await allEnded.reached;
  expect(outcomes.map(({ code, from }) => [code, from])).toEqual(Array.from({ length: 50 }, () => LOST));
  expect(ended).toBe(25);
  expect(talks.flatMap((talk) => talk.wrongs)).toEqual([]);
});

test("a call that is made when another has just failed finds a new connection", async () => {
  const arrived = Promise.withResolvers<void>();
  const server = await bed.serve({ "/t.T/Echo": echo, "/t.T/Hang": () => arrived.resolve() });
  const between = await proxy(bed, tcp(server));
  const client = bed.client(between.address);
  const second = new Promise<Uint8Array>((response, failed) => {
    client.unary("/t.T/Hang", new Uint8Array(), {
      response: () => expect.unreachable(),
      failed: () => client.unary("/t.T/Echo", Buffer.from("second"), { response, failed }),
    });
  });
  await arrived.promise;
  between.cut();
  expect(text(await second)).toBe("second");
});

test("calls beyond what the peer allows wait, and go in order", async () => {
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const server = await bed.http2(
    (stream) => {
      running += 1;
      most = Math.max(most, running);
      stream.on("data", (data: Buffer) => order.push(data.readUInt32BE(5)));
      stream.on("end", () =>
        setImmediate(() => {
          running -= 1;
          answerOk(stream, new Uint8Array());
        }),
      );
    },
    { settings: { maxConcurrentStreams: 3 } },
  );
  const client = bed.client(server.address);
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  await call(client, "/t.T/Any", number(0));
  await Promise.all(Array.from({ length: 100 }, (_, index) => call(client, "/t.T/Any", number(index + 1))));
  expect(order).toEqual(Array.from({ length: 101 }, (_, index) => index));
  expect(most).toBe(3);
});

test("a call that waits for room was not sent when the connection is lost and there is no other", async () => {
  const arrived = Promise.withResolvers<ServerHttp2Stream>();
  const server = await bed.http2((stream) => arrived.resolve(stream), { settings: { maxConcurrentStreams: 1 } });
  const client = bed.client(server.address);
  client.wake();
  await reached(client, "ready");
  const first = outcome(call(client, "/t.T/Any", "a"));
  const second = outcome(call(client, "/t.T/Any", "b"));
  const { session } = await arrived.promise;
  server.server.close();
  session?.destroy();
  expect(await first).toEqual(LOST);
  expect(await second).toEqual(UNSENT);
});

test("a call that waits for room goes when the peer allows more", async () => {
  const arrived = Promise.withResolvers<ServerHttp2Stream>();
  const server = await bed.http2(
    (stream, headers) => {
      if (headers[":path"] === "/t.T/Hang") arrived.resolve(stream);
      else answerOk(stream, Buffer.from("got room"));
    },
    { settings: { maxConcurrentStreams: 1 } },
  );
  const client = bed.client(server.address);
  client.wake();
  await reached(client, "ready");
  const hanging = call(client, "/t.T/Hang", "");
  const waiting = call(client, "/t.T/Any", "");
  const stream = await arrived.promise;
  stream.session?.settings({ maxConcurrentStreams: 2 });
  expect(text(await waiting)).toBe("got room");
  answerOk(stream, Buffer.from("at last"));
  expect(text(await hanging)).toBe("at last");
});

test("closing ends what waits as unsent, what runs, and what comes after", async () => {
  const arrived = Promise.withResolvers<void>();
  const server = await bed.http2(() => arrived.resolve(), { settings: { maxConcurrentStreams: 1 } });
  const client = bed.client(server.address);
  client.wake();
  await reached(client, "ready");
  const running = outcome(call(client, "/t.T/Any", ""));
  const waiting = outcome(call(client, "/t.T/Any", ""));
  await arrived.promise;
  client.close();
  client.close();
  expect(client.state).toBe("closed");
  expect(await running).toEqual(LOST);
  expect(await waiting).toEqual([Status.CANCELLED, "unsent"]);
  expect(await outcome(call(client, "/t.T/Any", ""))).toEqual([Status.CANCELLED, "unsent"]);
  client.wake();
  expect(client.state).toBe("closed");
});

test("closing in the middle of connecting, or while unreachable, ends what waits", async () => {
  const accepted = Promise.withResolvers<Socket>();
  const silent = await bed.tcp(accepted.resolve);
  const connecting = bed.client(silent.address);
  const waiting = outcome(call(connecting, "/t.T/Any", ""));
  const gone = once(await accepted.promise, "close");
  connecting.close();
  expect(await waiting).toEqual([Status.CANCELLED, "unsent"]);
  (await accepted.promise).resume();
  await gone;
  const unreachable = bed.client({ host: "127.0.0.1", port: await freePort() });
  const patient = outcome(call(unreachable, "/t.T/Any", "", { waitForReady: true }));
  await reached(unreachable, "unreachable");
  unreachable.close();
  expect(await patient).toEqual([Status.CANCELLED, "unsent"]);
});

test("a client that is closed by whoever hears of its state makes no connection", async () => {
  const accepted: Socket[] = [];
  const silent = await bed.tcp((socket) => void accepted.push(socket));
  const client = connect(silent.address);
  client.onState(() => client.close());
  client.wake();
  expect(client.state).toBe("closed");
  const probe = dial(silent.address);
  await once(probe, "connect");
  while (accepted.length === 0) await once(silent.server, "connection");
  // They are accepted in their order: one of the client would have been the first.
  expect(accepted[0]?.remotePort).toBe(probe.localPort);
  probe.destroy();
});
