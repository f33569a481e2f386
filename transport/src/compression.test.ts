import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { echo } from "./client.fixture.ts";
import { Status, streaming } from "./index.ts";
import { answerOk, Bed, Conversation, call, failure, framed, outcome, type RawAnswer, rawCall, tcp, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

const MAX_BYTES = 100_000;
const GZIP = { "grpc-encoding": "gzip", "grpc-accept-encoding": "identity,gzip" };
/** It compresses well, so that what is compressed shows in its length. */
const LARGE = Buffer.alloc(50_000, "compressible ");
const echoStream = streaming((call) => ({ message: (message) => void call.send(message), end: () => call.end() }));

async function served() {
  return await bed.serve({ "/t.T/Echo": echo, "/t.T/Stream": echoStream }, { maxMessageBytes: MAX_BYTES });
}

async function asked(headers: Record<string, string>, body: Uint8Array): Promise<RawAnswer> {
  return await rawCall(bed.session(tcp(await served())), "/t.T/Echo", headers, body);
}

const status = ({ headers, trailers }: RawAnswer) => Number(trailers["grpc-status"] ?? headers["grpc-status"]);
const flagged = (message: Uint8Array) => framed(message, 1);

/** The messages of an answer, each with its flag. */
function messages(body: Buffer): [flag: number, message: Buffer][] {
  const found: [number, Buffer][] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    found.push([body[at] as number, body.subarray(at + 5, end)]);
    at = end;
  }
  return found;
}

/** A server that answers with these bytes, said to be of this encoding. */
async function answering(encoding: string | undefined, body: Uint8Array) {
  const server = await bed.http2((stream) => {
    const named = encoding === undefined ? {} : { "grpc-encoding": encoding };
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...named }, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(body);
  });
  return bed.client(server.address, { maxMessageBytes: MAX_BYTES });
}

test("compressed messages go there and back, in calls of both kinds", async () => {
  const client = bed.client((await served()).address);
  expect(LARGE.equals(await call(client, "/t.T/Echo", LARGE, { compression: "gzip" }))).toBe(true);
  const talk = new Conversation(client, "/t.T/Stream", { compression: "gzip" });
  for (const message of [LARGE, Buffer.from("small"), Buffer.alloc(0), LARGE]) talk.stream.send(message);
  talk.stream.end();
  await talk.end;
  expect(talk.messages.map((message) => message.length)).toEqual([LARGE.length, 5, 0, LARGE.length]);
  expect(LARGE.equals(talk.messages[3] as Uint8Array)).toBe(true);
});

test("the client compresses when asked to, and only what is worth it", async () => {
  const bodies: Buffer[] = [];
  const server = await bed.http2((stream) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      bodies.push(Buffer.concat(chunks));
      answerOk(stream, new Uint8Array());
    });
  });
  const client = bed.client(server.address);
  await call(client, "/t.T/Any", LARGE);
  await call(client, "/t.T/Any", LARGE.subarray(0, 511), { compression: "gzip" });
  await call(client, "/t.T/Any", LARGE.subarray(0, 512), { compression: "gzip" });
  expect(bodies.map((body) => body[0])).toEqual([0, 0, 1]);
  expect(bodies.map((body) => body.length - 5 - body.readUInt32BE(1))).toEqual([0, 0, 0]);
  expect(bodies[0]?.length).toBe(LARGE.length + 5);
});

test("the answer to a compressed request is compressed, for a client that takes it", async () => {
  const { headers, body } = await asked(GZIP, flagged(gzipSync(LARGE)));
  expect(headers["grpc-encoding"]).toBe("gzip");
  const [[flag, message] = []] = messages(body);
  expect(flag).toBe(1);
  expect(message?.length).toBeLessThan(LARGE.length / 10);
  expect(LARGE.equals(gunzipSync(message ?? ""))).toBe(true);
});

test.for([
  ["did not compress its request", { "grpc-accept-encoding": "identity,gzip" }, framed(LARGE)],
  ["does not say that it takes gzip", { "grpc-encoding": "gzip" }, framed(gzipSync(LARGE), 1)],
  ["takes others only", { "grpc-encoding": "gzip", "grpc-accept-encoding": "deflate,xgzip" }, framed(gzipSync(LARGE), 1)],
] as const)("the answer is not compressed for a client that %s", async ([, headers, body]) => {
  const answered = await asked(headers, body);
  expect(status(answered)).toBe(Status.OK);
  expect(messages(answered.body)).toEqual([[0, LARGE]]);
});

test("what was named may be used for some messages and not for others", async () => {
  expect(messages((await asked(GZIP, framed(Buffer.from("plain")))).body)).toEqual([[0, Buffer.from("plain")]]);
});

test("an encoding that is not known is UNIMPLEMENTED, and the answer says which are", async () => {
  const { headers, trailers } = await asked({ "grpc-encoding": "snappy" }, flagged(LARGE));
  expect(trailers["grpc-status"] ?? headers["grpc-status"]).toBe(String(Status.UNIMPLEMENTED));
  expect(trailers["grpc-accept-encoding"] ?? headers["grpc-accept-encoding"]).toBe("identity,gzip");
});

test("an encoding that is not known does no harm while no message has it", async () => {
  expect(messages((await asked({ "grpc-encoding": "snappy" }, framed(Buffer.from("plain")))).body)).toEqual([[0, Buffer.from("plain")]]);
});

test.for([
  ["is no gzip", GZIP, framed(LARGE, 1)],
  ["is nothing", GZIP, framed(new Uint8Array(), 1)],
  ["is half of a gzip", GZIP, framed(gzipSync(LARGE).subarray(0, -20), 1)],
  ["has a wrong check sum", GZIP, framed(Buffer.concat([gzipSync(LARGE).subarray(0, -8), Buffer.alloc(8, 0xff)]), 1)],
  ["is flagged, but no encoding was named", {}, framed(gzipSync(LARGE), 1)],
  ["has a flag that nobody knows", GZIP, framed(LARGE, 2)],
] as const)("a message that %s is INTERNAL, for the server", async ([, headers, body]) => {
  expect(status(await asked(headers, body))).toBe(Status.INTERNAL);
});

test("what becomes too large is stopped on the way, and what just fits is taken", async () => {
  const bomb = gzipSync(Buffer.alloc(200 * 2 ** 20), { level: 9 });
  expect(status(await asked(GZIP, flagged(gzipSync(Buffer.alloc(MAX_BYTES + 1)))))).toBe(Status.RESOURCE_EXHAUSTED);
  expect(status(await asked(GZIP, flagged(gzipSync(Buffer.alloc(MAX_BYTES)))))).toBe(Status.OK);
  const large = await bed.serve({ "/t.T/Echo": echo });
  const before = process.memoryUsage().rss;
  expect(status(await rawCall(bed.session(tcp(large)), "/t.T/Echo", GZIP, flagged(bomb)))).toBe(Status.RESOURCE_EXHAUSTED);
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
});

test("a client reads compressed answers, though it did not ask", async () => {
  const client = await answering("gzip", flagged(gzipSync(Buffer.from("unasked"))));
  expect(text(await call(client, "/t.T/Any", ""))).toBe("unasked");
});

test.for([
  ["an encoding that is not known", "snappy", framed(LARGE, 1), Status.UNIMPLEMENTED],
  ["garbage", "gzip", framed(LARGE, 1), Status.INTERNAL],
  ["a message flagged without an encoding", undefined, framed(gzipSync(LARGE), 1), Status.INTERNAL],
  ["a message that becomes too large", "gzip", framed(gzipSync(Buffer.alloc(MAX_BYTES + 1)), 1), Status.RESOURCE_EXHAUSTED],
] as const)("a client fails its call at %s", async ([, encoding, body, code]) => {
  const client = await answering(encoding, body);
  expect(await outcome(call(client, "/t.T/Any", ""))).toEqual([code, "peer"]);
  const talk = new Conversation(client, "/t.T/Any");
  talk.stream.end();
  expect((await failure(talk.end)).code).toBe(code);
  expect(client.state).toBe("ready");
});
