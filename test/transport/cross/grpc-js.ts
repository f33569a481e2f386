import assert from "node:assert/strict";
import { once } from "node:events";
import { type CallOptions, Client, credentials, Metadata, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import {
  decode,
  Empty,
  encode,
  SimpleRequest,
  SimpleResponse,
  StreamingInputCallRequest,
  StreamingInputCallResponse,
  StreamingOutputCallRequest,
  StreamingOutputCallResponse,
  zeros,
} from "../testing-messages.ts";

const SERVICE = "/grpc.testing.TestService";
const REQUEST_SIZES = [27_182, 8, 1_828, 45_904];
const RESPONSE_SIZES = [31_415, 9, 2_653, 58_979];
/** Special to a status line, a percent encoding, and more than one byte of UTF-8. */
const MESSAGE = "\t100% naïve\r\n☺ 雪 \u{1f608}\n";
const BINARY = Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte));
const LARGE = encode(SimpleRequest, { responseSize: 314_159, payload: zeros(271_828) });
const GZIP = 2;

/** What `python/client.py` and `java/Client.java` check too, with grpc-js. */
export const checks: Readonly<Record<string, (client: Client) => Promise<void>>> = {
  async empty(client) {
    assert.equal((await unary(client, "EmptyCall", encode(Empty))).message.length, 0);
  },

  unary_large: isLargeAnswered,

  async unary_metadata(client) {
    const { message, headers, trailers } = await unary(client, "UnaryCall", encode(SimpleRequest, { responseSize: 1 }), sent());
    assert.equal(decode(SimpleResponse, message).payload?.body.length, 1);
    isEchoed(headers, trailers);
  },

  async unary_error(client) {
    const responseStatus = { code: status.ABORTED, message: MESSAGE };
    const error = await refused(unary(client, "UnaryCall", encode(SimpleRequest, { responseStatus }), sent()));
    assert.deepEqual([error.code, error.details], [status.ABORTED, MESSAGE]);
    assert.deepEqual(error.metadata.get("x-grpc-test-echo-trailing-bin"), [BINARY]);
  },

  async unimplemented(client) {
    assert.equal((await refused(unary(client, "UnimplementedCall", encode(Empty)))).code, status.UNIMPLEMENTED);
  },

  async client_streaming(client) {
    const call = duplex(client, "StreamingInputCall");
    for (const size of REQUEST_SIZES) call.write(encode(StreamingInputCallRequest, { payload: zeros(size) }));
    call.end();
    const [answer, ...more] = await rest(call);
    assert.equal(decode(StreamingInputCallResponse, answer ?? new Uint8Array()).aggregatedPayloadSize, 74_922);
    assert.equal(more.length, 0);
  },

  async server_streaming(client) {
    const call = duplex(client, "StreamingOutputCall");
    call.end(encode(StreamingOutputCallRequest, { responseParameters: RESPONSE_SIZES.map((size) => ({ size })) }));
    assert.deepEqual((await rest(call)).map(outputSize), RESPONSE_SIZES);
  },

  async server_streaming_large(client) {
    const sizes = Array.from({ length: 100 }, () => 100_000);
    const call = duplex(client, "StreamingOutputCall");
    call.end(encode(StreamingOutputCallRequest, { responseParameters: sizes.map((size) => ({ size })) }));
    assert.deepEqual((await rest(call)).map(outputSize), sizes);
  },

  async ping_pong(client) {
    const call = duplex(client, "FullDuplexCall", sent());
    const ending = Promise.all([once(call, "metadata"), once(call, "status")]);
    for (const [turn, size] of RESPONSE_SIZES.entries()) {
      const payload = zeros(REQUEST_SIZES[turn] ?? 0);
      call.write(encode(StreamingOutputCallRequest, { responseParameters: [{ size }], payload }));
      assert.equal(outputSize(await next(call)), size);
    }
    call.end();
    assert.equal((await rest(call)).length, 0);
    const [[headers], [end]] = await ending;
    isEchoed(headers, end.metadata);
  },

  async stream_error(client) {
    const call = duplex(client, "FullDuplexCall");
    call.write(encode(StreamingOutputCallRequest, { responseParameters: [{ size: 9 }] }));
    assert.equal(outputSize(await next(call)), 9);
    call.write(encode(StreamingOutputCallRequest, { responseStatus: { code: status.DATA_LOSS, message: MESSAGE } }));
    const error = await refused(next(call));
    assert.deepEqual([error.code, error.details], [status.DATA_LOSS, MESSAGE]);
  },

  async deadline(client) {
    const start = performance.now();
    const call = duplex(client, "FullDuplexCall", new Metadata(), { deadline: Date.now() + 300 });
    assert.equal((await refused(next(call))).code, status.DEADLINE_EXCEEDED);
    assert.ok(performance.now() - start >= 290, "too early");
  },

  async cancel(client) {
    const call = duplex(client, "FullDuplexCall");
    call.write(encode(StreamingOutputCallRequest, { responseParameters: [{ size: 9 }] }));
    assert.equal(outputSize(await next(call)), 9);
    const over = refused(next(call));
    call.cancel();
    assert.equal((await over).code, status.CANCELLED);
    await unary(client, "EmptyCall", encode(Empty));
  },

  async unary_gzip(client) {
    const target = client.getChannel().getTarget();
    const zipping = new Client(target, credentials.createInsecure(), { "grpc.default_compression_algorithm": GZIP });
    try {
      await isLargeAnswered(zipping);
    } finally {
      zipping.close();
    }
  },
};

async function isLargeAnswered(client: Client): Promise<void> {
  const { message } = await unary(client, "UnaryCall", LARGE);
  assert.deepEqual(message, Buffer.from(encode(SimpleResponse, { payload: zeros(314_159) })));
}

function sent(): Metadata {
  const metadata = new Metadata();
  metadata.set("x-grpc-test-echo-initial", "first, second");
  metadata.set("x-grpc-test-echo-trailing-bin", BINARY);
  return metadata;
}

function isEchoed(headers: Metadata | undefined, trailers: Metadata | undefined): void {
  assert.deepEqual(headers?.get("x-grpc-test-echo-initial"), ["first, second"]);
  assert.deepEqual(trailers?.get("x-grpc-test-echo-trailing-bin"), [BINARY]);
}

function outputSize(message: Uint8Array): number | undefined {
  return decode(StreamingOutputCallResponse, message).payload?.body.length;
}

const toBuffer: MethodDefinition<Uint8Array, Buffer>["requestSerialize"] = (message) => Buffer.from(message);
const asIs = (message: Buffer): Buffer => message;

interface Answer {
  readonly message: Buffer;
  readonly headers: Metadata | undefined;
  readonly trailers: Metadata | undefined;
}

async function unary(client: Client, method: string, request: Uint8Array, metadata = new Metadata()): Promise<Answer> {
  let headers: Metadata | undefined;
  let trailers: Metadata | undefined;
  const ended = Promise.withResolvers<void>();
  const message = await new Promise<Buffer>((resolve, reject) => {
    const call = client.makeUnaryRequest(`${SERVICE}/${method}`, toBuffer, asIs, request, metadata, (error, answer) => {
      if (error || !answer) reject(error);
      else resolve(answer);
    });
    call.on("metadata", (received) => {
      headers = received;
    });
    call.on("status", (end) => {
      trailers = end.metadata;
      ended.resolve();
    });
  });
  await ended.promise;
  return { message, headers, trailers };
}

type Duplex = ReturnType<typeof duplex>;

function duplex(client: Client, method: string, metadata = new Metadata(), options: CallOptions = {}) {
  return client.makeBidiStreamRequest(`${SERVICE}/${method}`, toBuffer, asIs, metadata, options);
}

/** Its status is how a call ends; the end of its messages comes before, and tells nothing. */
async function next(call: Duplex): Promise<Buffer> {
  const ended = once(call, "status").then(([end]) => {
    throw end.code === status.OK ? new Error("the call ended instead of sending a message") : end;
  });
  for (;;) {
    const message: Buffer | null = call.read();
    if (message) return message;
    await Promise.race([once(call, "readable"), ended]);
  }
}

async function rest(call: Duplex): Promise<Buffer[]> {
  const messages: Buffer[] = [];
  for await (const message of call) messages.push(message);
  return messages;
}

function refused(outcome: Promise<unknown>): Promise<ServiceError> {
  return outcome.then(
    () => assert.fail("the call succeeded"),
    (error: ServiceError) => error,
  );
}
