import { constants, type ServerHttp2Stream } from "node:http2";
import { afterEach, expect, test, vi } from "vitest";
import { echo, nth } from "./client.fixture.ts";
import { type RpcError, Status } from "./index.ts";
import { answerOk, Bed, Conversation, call, failure, freePort, LOOPBACK, outcome, pattern, reached, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

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
