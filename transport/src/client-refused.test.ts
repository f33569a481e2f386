import { constants, type ServerHttp2Stream } from "node:http2";
import { afterEach, expect, test } from "vitest";
import { nth, UNSENT } from "./client.fixture.ts";
import { type ConnectionState, type RpcError, Status } from "./index.ts";
import { answerOk, Bed, Conversation, call, outcome, reached, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

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
