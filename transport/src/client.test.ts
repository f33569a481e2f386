import { once } from "node:events";
import { createServer as createHttp1 } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import { connect as dial, type Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type ConnectionState, connect, type RpcError, Status, streaming, type UnaryHandler } from "./index.ts";
import {
  addressOf,
  answerOk,
  Bed,
  Conversation,
  call,
  failure,
  freePort,
  LOOPBACK,
  outcome,
  pattern,
  reached,
  type TcpAddress,
  tcp,
  text,
} from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

const echo: UnaryHandler = (request, answer) => answer.respond(request);
const UNSENT = [Status.UNAVAILABLE, "unsent"];
const LOST = [Status.UNAVAILABLE, "connection"];

/** Resolves at the nth time that it is called. */
function nth(times: number): { readonly reached: Promise<void>; readonly hit: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = times;
  return { reached: promise, hit: () => --left === 0 && resolve() };
}

/** Stands between a client and a server. While it is `paused` nothing gets through, and nobody is told. */
async function proxy(to: TcpAddress): Promise<{ address: TcpAddress; pause(): void; cut(): void }> {
  const pairs: [Socket, Socket][] = [];
  const { address } = await bed.tcp((socket) => {
    const onward = dial(to);
    onward.on("error", () => socket.destroy());
    socket.on("close", () => onward.destroy());
    onward.on("close", () => socket.destroy());
    socket.pipe(onward).pipe(socket);
    pairs.push([socket, onward]);
  });
  return {
    address,
    pause() {
      for (const [near, far] of pairs) {
        near.unpipe(far);
        far.unpipe(near);
        near.pause();
        far.pause();
      }
    },
    cut() {
      for (const [near] of pairs) near.destroy();
    },
  };
}

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

test("a call that waits for its server ends at its deadline", async () => {
  const client = bed.client({ host: "127.0.0.1", port: await freePort() });
  const deadline = Date.now() + 150;
  const error = await failure(call(client, "/t.T/Echo", "", { waitForReady: true, deadline }));
  expect(error.code).toBe(Status.DEADLINE_EXCEEDED);
  expect(Date.now()).toBeGreaterThanOrEqual(deadline);
});

test("a call whose deadline has passed is not made", async () => {
  const client = bed.client(LOOPBACK);
  expect(await outcome(call(client, "/t.T/Echo", "", { deadline: Date.now() }))).toEqual([Status.DEADLINE_EXCEEDED, "unsent"]);
  expect(client.state).toBe("idle");
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
  const between = await proxy(tcp(server));
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
  const between = await proxy(tcp(server));
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

test("at GOAWAY the streams below finish, and those above are made once more on a new connection", async () => {
  const held: ServerHttp2Stream[] = [];
  const arrived = nth(6);
  const server = await bed.http2((stream) => {
    if (server.sessions.length > 1) {
      answerOk(stream, Buffer.from("second connection"));
      return;
    }
    held.push(stream);
    arrived.hit();
  });
  const client = bed.client(server.address);
  const states: ConnectionState[] = [];
  client.onState((state) => states.push(state));
  const calls = Array.from({ length: 6 }, () => call(client, "/t.T/Any", "x"));
  const talk = new Conversation(client, "/t.T/Any");
  await arrived.reached;
  server.sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR, held[1]?.id);
  const answers = calls.slice(2).map(async (one) => text(await one));
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 4 }, () => "second connection"));
  // What a stream has sent is not kept: it cannot be made again, and its caller may.
  expect(await outcome(talk.end)).toEqual(UNSENT);
  for (const stream of held.slice(0, 2)) answerOk(stream, Buffer.from("first connection"));
  expect(await Promise.all(calls.slice(0, 2).map(async (one) => text(await one)))).toEqual(["first connection", "first connection"]);
  expect(states).toEqual(["connecting", "ready", "idle", "connecting", "ready"]);
  expect(server.sessions.length).toBe(2);
});

test("a call that two servers will not work on is unsent", async () => {
  let seen = 0;
  const server = await bed.http2((stream) => {
    seen += 1;
    if (seen === 1) answerOk(stream, new Uint8Array());
    else if (seen === 2) stream.session?.goaway(constants.NGHTTP2_NO_ERROR, 1);
    else stream.close(constants.NGHTTP2_REFUSED_STREAM);
  });
  const client = bed.client(server.address);
  await call(client, "/t.T/Any", "");
  expect(await outcome(call(client, "/t.T/Any", ""))).toEqual(UNSENT);
  expect([seen, server.sessions.length]).toEqual([3, 2]);
});

test("after GOAWAY without a stream the connection ends, and is made anew for the next call", async () => {
  const server = await bed.http2((stream) => answerOk(stream, Buffer.from(String(server.sessions.length))));
  const client = bed.client(server.address);
  expect(text(await call(client, "/t.T/Any", ""))).toBe("1");
  const idle = reached(client, "idle");
  server.sessions[0]?.goaway();
  await idle;
  expect(text(await call(client, "/t.T/Any", ""))).toBe("2");
});

test("REFUSED_STREAM is tried once more; the second time it is unsent", async () => {
  let refusals = 1;
  let seen = 0;
  const server = await bed.http2((stream) => {
    seen += 1;
    if (refusals-- > 0) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else answerOk(stream, Buffer.from("taken"));
  });
  const client = bed.client(server.address);
  expect(text(await call(client, "/t.T/Any", ""))).toBe("taken");
  [refusals, seen] = [2, 0];
  expect(await outcome(call(client, "/t.T/Any", ""))).toEqual(UNSENT);
  expect(seen).toBe(2);
});

test("a call that is to be made again can be cancelled, or run out of time, while it waits", async () => {
  const both = nth(2);
  let seen = 0;
  const server = await bed.http2((stream) => {
    seen += 1;
    if (seen === 1) answerOk(stream, new Uint8Array());
    else both.hit();
  });
  const client = bed.client(server.address);
  await call(client, "/t.T/Any", "");
  const failed = Promise.withResolvers<RpcError>();
  const running = client.unary(
    "/t.T/Any",
    new Uint8Array(),
    { response: () => expect.unreachable(), failed: failed.resolve },
    { waitForReady: true },
  );
  const late = outcome(call(client, "/t.T/Any", "", { waitForReady: true, deadline: Date.now() + 200 }));
  await both.reached;
  server.server.close();
  server.sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR, 1);
  await reached(client, "unreachable");
  running.cancel();
  expect((await failed.promise).code).toBe(Status.CANCELLED);
  expect((await late)[0]).toBe(Status.DEADLINE_EXCEEDED);
});

test("other resets are told as gRPC says", async () => {
  const codes = [
    [constants.NGHTTP2_CANCEL, Status.CANCELLED],
    [constants.NGHTTP2_ENHANCE_YOUR_CALM, Status.RESOURCE_EXHAUSTED],
    [constants.NGHTTP2_INADEQUATE_SECURITY, Status.PERMISSION_DENIED],
    [constants.NGHTTP2_INTERNAL_ERROR, Status.INTERNAL],
    [constants.NGHTTP2_PROTOCOL_ERROR, Status.INTERNAL],
  ] as const;
  let next = 0;
  const server = await bed.http2((stream) => stream.close(next));
  const client = bed.client(server.address);
  for (const [reset, status] of codes) {
    next = reset;
    expect(await outcome(call(client, "/t.T/Any", ""))).toEqual([status, "connection"]);
  }
});

test("a server whose clock strikes first has not cancelled the call", async () => {
  const arrived = Promise.withResolvers<ServerHttp2Stream>();
  const server = await bed.http2(arrived.resolve);
  const deadline = Date.now() + 600_000;
  const late = outcome(call(bed.client(server.address), "/t.T/Any", "", { deadline }));
  const stream = await arrived.promise;
  // The client's timer has not fired, though it is time.
  vi.useFakeTimers({ toFake: ["Date"], now: deadline });
  bed.after(() => vi.useRealTimers());
  stream.close(constants.NGHTTP2_CANCEL);
  expect((await late)[0]).toBe(Status.DEADLINE_EXCEEDED);
});

test("an attempt to connect to a server that never speaks ends in time", async () => {
  const silent = await bed.tcp((socket) => socket.resume());
  const client = bed.client(silent.address, { connectTimeoutMs: 50 });
  expect(await outcome(call(client, "/t.T/Any", ""))).toEqual(UNSENT);
});

test("a server that hangs up at once cannot be reached", async () => {
  const rude = await bed.tcp((socket) => socket.end());
  expect(await outcome(call(bed.client(rude.address), "/t.T/Any", ""))).toEqual(UNSENT);
});

test("a server that speaks HTTP/1 cannot be reached", async () => {
  const server = createHttp1((_, response) => response.end("hello"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  bed.after(() => server.close());
  expect(await outcome(call(bed.client(addressOf(server)), "/t.T/Any", ""))).toEqual(UNSENT);
});

test("what HTTP answers instead of gRPC is told as gRPC says", async () => {
  const codes = [
    [400, Status.INTERNAL],
    [401, Status.UNAUTHENTICATED],
    [403, Status.PERMISSION_DENIED],
    [404, Status.UNIMPLEMENTED],
    [429, Status.UNAVAILABLE],
    [502, Status.UNAVAILABLE],
    [503, Status.UNAVAILABLE],
    [418, Status.UNKNOWN],
    [200, Status.UNKNOWN],
  ] as const;
  const server = await bed.http2((stream, headers) => {
    const [, status = "", ended] = String(headers[":path"]).split("/");
    stream.respond({ ":status": Number(status), "content-type": "text/html" }, { endStream: ended === "ended" });
    if (ended !== "ended") stream.end("<html>no</html>");
  });
  const client = bed.client(server.address);
  for (const [http, status] of codes) {
    for (const ended of ["ended", "body"]) {
      const error = await failure(call(client, `/${http}/${ended}`, ""));
      expect([http, error.code, error.from]).toEqual([http, status, "peer"]);
      expect(error.details).toContain(String(http));
    }
  }
});

test("an answer without a status, one without a message and one with two are errors", async () => {
  const grpc = { ":status": 200, "content-type": "application/grpc" };
  const server = await bed.http2((stream, headers) => {
    const kind = headers[":path"];
    if (kind === "/t/NoStatus") {
      stream.respond(grpc);
      stream.end(Buffer.alloc(5));
      return;
    }
    stream.respond(grpc, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(kind === "/t/NoMessage" ? "" : kind === "/t/Half" ? Buffer.from([0, 0, 0, 0, 9, 1]) : Buffer.alloc(10));
  });
  const client = bed.client(server.address);
  for (const kind of ["NoStatus", "NoMessage", "Half", "Two"]) {
    expect([kind, ...(await outcome(call(client, `/t/${kind}`, "")))]).toEqual([kind, Status.INTERNAL, "peer"]);
  }
  expect(client.state).toBe("ready");
});

test("a status that nobody knows is handed on, and one that is no number is UNKNOWN", async () => {
  const server = await bed.http2((stream, headers) => {
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": String(headers[":path"]).slice(1) },
      { endStream: true },
    );
  });
  const client = bed.client(server.address);
  expect((await failure(call(client, "/77", ""))).code).toBe(77);
  expect((await failure(call(client, "/abc", ""))).code).toBe(Status.UNKNOWN);
});

test("an interim answer is passed over", async () => {
  const server = await bed.http2((stream) => {
    stream.additionalHeaders({ ":status": 103 });
    answerOk(stream, Buffer.from("the real one"));
  });
  expect(text(await call(bed.client(server.address), "/t.T/Any", ""))).toBe("the real one");
});

test("a server's PING is answered", async () => {
  const server = await bed.http2((stream) => answerOk(stream, new Uint8Array()));
  const client = bed.client(server.address);
  await call(client, "/t.T/Any", "");
  const payload = Buffer.from("12345678");
  const answered = await new Promise<Buffer>((resolve, reject) => {
    server.sessions[0]?.ping(payload, (error, _, back) => (error ? reject(error) : resolve(back)));
  });
  expect([...answered]).toEqual([...payload]);
});

test("a server that has stopped answering is left, and its calls fail", async () => {
  const arrived = Promise.withResolvers<void>();
  const server = await bed.serve({ "/t.T/Hang": () => arrived.resolve() });
  const between = await proxy(tcp(server));
  const client = bed.client(between.address, { keepaliveMs: 30, keepaliveTimeoutMs: 60 });
  const hanging = failure(call(client, "/t.T/Hang", ""));
  await arrived.promise;
  between.pause();
  const error = await hanging;
  expect([error.code, error.from]).toEqual(LOST);
  expect(error.details).toContain("PING");
});

test("a client that has stopped answering is left by the server, and its call cancelled", async () => {
  const cancelled = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const server = await bed.serve(
    {
      "/t.T/Hang": (_, answer) => {
        answer.onCancel(cancelled.resolve);
        arrived.resolve();
      },
    },
    { keepaliveMs: 30, keepaliveTimeoutMs: 60 },
  );
  const between = await proxy(tcp(server));
  const lost = outcome(call(bed.client(between.address), "/t.T/Hang", ""));
  await arrived.promise;
  between.pause();
  await cancelled.promise;
  between.cut();
  expect(await lost).toEqual(LOST);
});

test("a quiet server that answers each PING is kept, also when it is pinged more often than it is waited for", async () => {
  const KEEPALIVE_MS = 10;
  const TIMEOUT_MS = 250;
  // Far more than one wait for an answer.
  const pings = nth(Math.ceil((3 * TIMEOUT_MS) / KEEPALIVE_MS / 2));
  const server = await bed.http2((stream) => answerOk(stream, new Uint8Array()));
  const client = bed.client(server.address, { keepaliveMs: KEEPALIVE_MS, keepaliveTimeoutMs: TIMEOUT_MS });
  await call(client, "/t.T/Any", "");
  server.sessions[0]?.on("ping", pings.hit);
  const states: ConnectionState[] = [];
  client.onState((state) => states.push(state));
  await pings.reached;
  expect(states).toEqual([]);
});

test("a call is cancelled before there is a connection, and is never made", async () => {
  let seen = 0;
  const server = await bed.serve({
    "/t.T/Echo": (request, answer) => {
      seen += 1;
      answer.respond(request);
    },
  });
  const client = bed.client(server.address);
  const failed = Promise.withResolvers<RpcError>();
  const running = client.unary("/t.T/Echo", new Uint8Array(), { response: () => expect.unreachable(), failed: failed.resolve });
  running.cancel();
  running.cancel();
  const talk = new Conversation(client, "/t.T/Echo");
  talk.stream.send(new Uint8Array());
  talk.stream.cancel();
  talk.stream.end();
  expect((await failed.promise).code).toBe(Status.CANCELLED);
  expect((await failure(talk.end)).code).toBe(Status.CANCELLED);
  await call(client, "/t.T/Echo", "");
  expect(seen).toBe(1);
});

test("a cancellation after the request is sent reaches the handler, and one after the answer does nothing", async () => {
  const cancelled = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const server = await bed.serve({
    "/t.T/Echo": echo,
    "/t.T/Hang": (_, answer) => {
      answer.onCancel(cancelled.resolve);
      arrived.resolve();
    },
  });
  const client = bed.client(server.address);
  const failed = Promise.withResolvers<RpcError>();
  const hanging = client.unary("/t.T/Hang", new Uint8Array(), { response: () => expect.unreachable(), failed: failed.resolve });
  await arrived.promise;
  hanging.cancel();
  expect([(await failed.promise).code, (await failed.promise).from]).toEqual([Status.CANCELLED, "connection"]);
  await cancelled.promise;
  let outcomes = 0;
  const done = await new Promise<{ cancel(): void }>((resolve) => {
    const running = client.unary("/t.T/Echo", new Uint8Array(), {
      response: () => {
        outcomes += 1;
        resolve(running);
      },
      failed: () => {
        outcomes += 1;
      },
    });
  });
  done.cancel();
  expect(text(await call(client, "/t.T/Echo", "on"))).toBe("on");
  expect(outcomes).toBe(1);
});

test("a call that is cancelled makes room for one that waits", async () => {
  const arrived = Promise.withResolvers<void>();
  const server = await bed.serve({ "/t.T/Echo": echo, "/t.T/Hang": () => arrived.resolve() }, { limits: { maxConcurrentStreams: 1 } });
  const client = bed.client(server.address);
  client.wake();
  await reached(client, "ready");
  const running = client.unary("/t.T/Hang", new Uint8Array(), { response: () => undefined, failed: () => undefined });
  const waiting = call(client, "/t.T/Echo", "room");
  await arrived.promise;
  running.cancel();
  expect(text(await waiting)).toBe("room");
});

test("5,000 calls with deadlines here and there each end exactly once", async () => {
  const CALLS = 5_000;
  const held: (() => void)[] = [];
  const server = await bed.serve(
    {
      // Every third is answered, some at once and some when others come; the rest wait for their end.
      "/t.T/Sometimes": (request, answer) => {
        const kind = (request[0] as number) % 3;
        if (kind === 0) answer.respond(request);
        else if (kind === 1) held.push(() => answer.respond(request));
        else if (held.length > 10) held.splice(0).forEach((respond) => void respond());
      },
    },
    { limits: { resets: { burst: CALLS, perSecond: CALLS } } },
  );
  const client = bed.client(server.address);
  const ends = new Uint8Array(CALLS);
  const all = nth(CALLS);
  const codes = new Set<number>();
  const early: number[] = [];
  for (let index = 0; index < CALLS; index++) {
    // Some that are answered at once have all the time in the world: on a slow machine the others may all be late.
    const deadline = Date.now() + (index % 256 === 0 ? 60_000 : 1 + ((index * 7_919) % 400));
    const over = (code: number) => {
      ends[index] = (ends[index] as number) + 1;
      codes.add(code);
      if (code !== Status.OK && Date.now() < deadline) early.push(index);
      all.hit();
    };
    client.unary(
      "/t.T/Sometimes",
      Uint8Array.of(index),
      { response: () => over(Status.OK), failed: ({ code }) => over(code) },
      { deadline },
    );
  }
  await all.reached;
  await call(client, "/t.T/Sometimes", Uint8Array.of(0));
  expect(ends.every((times) => times === 1)).toBe(true);
  expect([...codes].sort()).toEqual([Status.OK, Status.DEADLINE_EXCEEDED]);
  expect(early).toEqual([]);
});

describe("a path that fills frames arrives whole, and the connection goes on", () => {
  // The longest in one frame, the first in several, and such as fill them: "~" takes a byte as it is, and more in Huffman's code.
  const LENGTHS = [8_192, 8_193, 16_384, 16_385, 3 * 16_384, 60_000];
  const paths = LENGTHS.map((length) => `/${"~".repeat(length - 1)}`);

  test("at Node's HTTP/2 server", async () => {
    const settings = { maxHeaderListSize: 2 ** 17, headerTableSize: 2 ** 16 };
    const server = await bed.http2((stream, headers) => answerOk(stream, Buffer.from(headers[":path"] ?? "")), { settings });
    const client = bed.client(server.address);
    for (const path of paths) {
      for (const deadline of [undefined, Date.now() + 60_000]) {
        const options = deadline === undefined ? {} : { deadline };
        expect(text(await call(client, path, "hello", options)) === path).toBe(true);
        const talk = new Conversation(client, path, options);
        expect(text(await talk.next()) === path).toBe(true);
        talk.stream.end();
        await talk.end;
      }
      expect(text(await call(client, "/t.T/Any", ""))).toBe("/t.T/Any");
    }
    expect(server.sessions.length).toBe(1);
  });

  test("at our own", async () => {
    const beyond = `/${"~".repeat(500_000)}`;
    const handlers = Object.fromEntries([...paths, beyond].map((path) => [path, echo]));
    const server = await bed.serve({ ...handlers, "/t.T/Echo": echo }, { limits: { maxHeaderListBytes: 2 ** 20 } });
    const client = bed.client(server.address);
    const states: ConnectionState[] = [];
    await call(client, "/t.T/Echo", "");
    client.onState((state) => states.push(state));
    // All at once: no frame of another call may come between the parts.
    const calls = [...paths, beyond].flatMap((path) => [call(client, path, "large"), call(client, "/t.T/Echo", "small")]);
    expect((await Promise.all(calls)).map(text)).toEqual([...paths, beyond].flatMap(() => ["large", "small"]));
    expect(text(await call(client, "/t.T/Echo", "on"))).toBe("on");
    expect(states).toEqual([]);
  });
});

test("a deadline beyond what a timer takes does not end the call", async () => {
  const server = await bed.serve({ "/t.T/Deadline": (_, answer) => answer.respond(Buffer.from(String(answer.deadline))) });
  const deadline = Date.now() + 2 ** 35;
  const seen = Number(text(await call(bed.client(server.address), "/t.T/Deadline", "", { deadline })));
  // Beyond eight digits of milliseconds it is told in seconds.
  expect(Math.abs(seen - deadline)).toBeLessThan(10_000);
});

test("a large request to a server that reads nothing ends at its deadline, and the client goes on", async () => {
  const server = await bed.http2((stream, headers) => {
    stream.pause();
    if (headers[":path"] === "/t.T/Echo") answerOk(stream, Buffer.from("on"));
  });
  const client = bed.client(server.address);
  const error = await failure(call(client, "/t.T/Deaf", pattern(3 * 2 ** 20), { deadline: Date.now() + 150 }));
  expect(error.code).toBe(Status.DEADLINE_EXCEEDED);
  expect(text(await call(client, "/t.T/Echo", ""))).toBe("on");
});
