import { afterEach, expect, test } from "vitest";
import { Status, streaming } from "./index.ts";
import { echo, MIB } from "./streaming.fixture.ts";
import { Bed, Conversation, call, failure, pattern, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

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

test("messages above what may wait by default go there and back where the limits allow one", async () => {
  const maxMessageBytes = 70 * MIB;
  const server = await bed.serve({ "/t.T/Size": (request, answer) => answer.respond(request) }, { maxMessageBytes });
  const client = bed.client(server.address, { maxMessageBytes });
  const answer = await new Promise<Uint8Array>((response, failed) => {
    client.unary("/t.T/Size", new Uint8Array(maxMessageBytes), { response, failed });
  });
  expect(answer.length).toBe(maxMessageBytes);
});

test("a client begins no more calls than may wait, and all of them succeed in the end", async () => {
  const server = await bed.serve({ "/t.T/Size": (request, answer) => answer.respond(Buffer.from(`${request.length}`)) });
  const client = bed.client(server.address, { limits: { maxQueuedBytes: MIB } });
  const request = new Uint8Array(100_000);
  const sizes = await Promise.all(Array.from({ length: 2_000 }, () => call(client, "/t.T/Size", request).then(text)));
  expect(new Set(sizes)).toEqual(new Set(["100000"]));
});

test("a request that waits for its server does so for as long as it may, and is no failure of its own", async () => {
  const slow = await bed.http2(() => undefined, { settings: { initialWindowSize: 10 } });
  const client = bed.client(slow.address, { limits: { stalledMs: 50, maxQueuedBytes: 1_000 } });
  const late = failure(call(client, "/t.T/Any", new Uint8Array(2_000), { deadline: Date.now() + 400 }));
  const behind = failure(call(client, "/t.T/Any", "", { deadline: Date.now() + 300 }));
  expect([(await behind).code, (await behind).from]).toEqual([Status.DEADLINE_EXCEEDED, "connection"]);
  expect((await late).code).toBe(Status.DEADLINE_EXCEEDED);
});

test("a stream of which nothing waits goes on while requests of others wait", async () => {
  const ended = Promise.withResolvers<void>();
  const slow = await bed.http2(
    (stream, headers) => {
      if (headers[":path"] !== "/t.T/Stream") return;
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.resume().on("end", () => {
        ended.resolve();
        stream.end();
      });
    },
    { settings: { initialWindowSize: 10 } },
  );
  const client = bed.client(slow.address, { limits: { maxQueuedBytes: 1_000 } });
  const talk = new Conversation(client, "/t.T/Stream");
  const waiting = failure(call(client, "/t.T/Any", new Uint8Array(5_000), { deadline: Date.now() + 300 }));
  client.onState((state) => state === "ready" && setImmediate(() => talk.stream.end()));
  await ended.promise;
  await talk.end;
  expect((await waiting).code).toBe(Status.DEADLINE_EXCEEDED);
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
