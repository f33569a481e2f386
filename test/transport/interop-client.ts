import assert from "node:assert/strict";
import { type CallOptions, type Client, Metadata, type ResponseMetadata, type RpcError, Status } from "layotto-transport";
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
} from "./testing-messages.ts";

const SERVICE = "/grpc.testing.TestService";
const REQUEST_SIZES = [27_182, 8, 1_828, 45_904];
const RESPONSE_SIZES = [31_415, 9, 2_653, 58_979];
const LARGE_REQUEST = 271_828;
const LARGE_RESPONSE = 314_159;

interface Answer {
  readonly message: Uint8Array;
  readonly headers: Metadata;
  readonly trailers: Metadata;
}

/** The cases of gRPC's "Interoperability Test Case Descriptions" that need neither an identity provider nor a load balancer. */
export const cases: Readonly<Record<string, (client: Client) => Promise<void>>> = {
  async empty_unary(client) {
    const { message } = await unary(client, "EmptyCall", encode(Empty));
    assert.equal(message.length, 0);
  },

  large_unary: (client) => large(client, {}),

  async client_streaming(client) {
    const call = new Stream(client, "StreamingInputCall");
    for (const size of REQUEST_SIZES) await call.send(encode(StreamingInputCallRequest, { payload: zeros(size) }));
    call.end();
    const answer = decode(StreamingInputCallResponse, await call.next());
    assert.equal(answer.aggregatedPayloadSize, 74_922);
    await call.ended();
  },

  async server_streaming(client) {
    const call = new Stream(client, "StreamingOutputCall");
    await call.send(encode(StreamingOutputCallRequest, { responseParameters: RESPONSE_SIZES.map((size) => ({ size })) }));
    call.end();
    for (const size of RESPONSE_SIZES) isOutput(await call.next(), size);
    await call.ended();
  },

  async ping_pong(client) {
    const call = new Stream(client, "FullDuplexCall");
    for (const [turn, size] of RESPONSE_SIZES.entries()) {
      await call.send(output(size, REQUEST_SIZES[turn] ?? 0));
      isOutput(await call.next(), size);
    }
    call.end();
    await call.ended();
  },

  async empty_stream(client) {
    const call = new Stream(client, "FullDuplexCall");
    call.end();
    await call.ended();
  },

  async timeout_on_sleeping_server(client) {
    const call = new Stream(client, "FullDuplexCall", { deadline: Date.now() + 1 });
    await call.send(encode(StreamingOutputCallRequest, { payload: zeros(27_182) }));
    const error = await call.failed();
    assert.equal(error.code, Status.DEADLINE_EXCEEDED);
  },

  async cancel_after_begin(client) {
    const call = new Stream(client, "StreamingInputCall");
    call.cancel();
    const error = await call.failed();
    assert.equal(error.code, Status.CANCELLED);
    assert.notEqual(error.from, "peer");
  },

  async cancel_after_first_response(client) {
    const call = new Stream(client, "FullDuplexCall");
    await call.send(output(31_415, 27_182));
    isOutput(await call.next(), 31_415);
    call.cancel();
    assert.equal((await call.failed()).code, Status.CANCELLED);
  },

  async status_code_and_message(client) {
    const responseStatus = { code: Status.UNKNOWN, message: "test status message" };
    isStatus(await refused(unary(client, "UnaryCall", encode(SimpleRequest, { responseStatus }))), responseStatus);
    const call = new Stream(client, "FullDuplexCall");
    await call.send(encode(StreamingOutputCallRequest, { responseStatus }));
    call.end();
    isStatus(await call.failed(), responseStatus);
  },

  async special_status_message(client) {
    const message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP \u{1f608}\t\n";
    const responseStatus = { code: Status.UNKNOWN, message };
    isStatus(await refused(unary(client, "UnaryCall", encode(SimpleRequest, { responseStatus }))), responseStatus);
  },

  async custom_metadata(client) {
    const initial = "test_initial_metadata_value";
    const trailing = Uint8Array.from([0xab, 0xab, 0xab]);
    const metadata = new Metadata([
      ["x-grpc-test-echo-initial", initial],
      ["x-grpc-test-echo-trailing-bin", trailing],
    ]);
    const isEchoed = (headers: Metadata | undefined, trailers: Metadata) => {
      assert.equal(headers?.get("x-grpc-test-echo-initial"), initial);
      assert.deepEqual([...(trailers.bytes("x-grpc-test-echo-trailing-bin") ?? [])], [...trailing]);
    };
    const large = encode(SimpleRequest, { responseSize: LARGE_RESPONSE, payload: zeros(LARGE_REQUEST) });
    const answer = await unary(client, "UnaryCall", large, { metadata });
    isEchoed(answer.headers, answer.trailers);
    const call = new Stream(client, "FullDuplexCall", { metadata });
    await call.send(output(LARGE_RESPONSE, LARGE_REQUEST));
    isOutput(await call.next(), LARGE_RESPONSE);
    call.end();
    const trailers = await call.ended();
    isEchoed(call.headers, trailers);
  },

  async unimplemented_method(client) {
    const error = await refused(unary(client, "UnimplementedCall", encode(Empty)));
    assert.equal(error.code, Status.UNIMPLEMENTED);
    assert.equal(error.from, "peer");
  },

  async unimplemented_service(client) {
    const error = await refused(unary(client, "UnimplementedCall", encode(Empty), {}, "/grpc.testing.UnimplementedService"));
    assert.equal(error.code, Status.UNIMPLEMENTED);
    assert.equal(error.from, "peer");
  },
};

/** The case `large_unary`, for which a request may also be compressed. */
export async function large(client: Client, options: CallOptions): Promise<void> {
  const request = encode(SimpleRequest, { responseSize: LARGE_RESPONSE, payload: zeros(LARGE_REQUEST) });
  const { message } = await unary(client, "UnaryCall", request, options);
  isZeros(decode(SimpleResponse, message).payload?.body, LARGE_RESPONSE);
}

function output(responseSize: number, requestSize: number): Uint8Array {
  return encode(StreamingOutputCallRequest, { responseParameters: [{ size: responseSize }], payload: zeros(requestSize) });
}

function isOutput(message: Uint8Array, size: number): void {
  isZeros(decode(StreamingOutputCallResponse, message).payload?.body, size);
}

function isZeros(body: Uint8Array | undefined, size: number): void {
  assert.equal(body?.length, size);
  assert.ok(body?.every((byte) => byte === 0));
}

function isStatus(error: RpcError, { code, message }: { readonly code: number; readonly message: string }): void {
  assert.deepEqual([error.code, error.details, error.from], [code, message, "peer"]);
}

function unary(client: Client, method: string, request: Uint8Array, options: CallOptions = {}, service = SERVICE): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const receiver = {
      response: (message: Uint8Array, { headers, trailers }: ResponseMetadata) => resolve({ message, headers, trailers }),
      failed: reject,
    };
    client.unary(`${service}/${method}`, request, receiver, options);
  });
}

function refused(outcome: Promise<unknown>): Promise<RpcError> {
  return outcome.then(
    () => assert.fail("the call succeeded"),
    (error: RpcError) => error,
  );
}

type Event = { readonly message: Uint8Array } | { readonly trailers: Metadata } | { readonly error: RpcError };

/** A streaming call, read one event at a time: a message more or less than a case expects, or a wrong ending, rejects. */
class Stream {
  headers: Metadata | undefined;
  readonly #call: ReturnType<Client["stream"]>;
  readonly #events: Event[] = [];
  #over = false;
  #arrived = Promise.withResolvers<void>();
  #drained = Promise.withResolvers<void>();

  constructor(client: Client, method: string, options: CallOptions = {}) {
    const over = (event: Event): void => {
      assert.ok(!this.#over, "the call ended twice");
      this.#over = true;
      this.#push(event);
      this.#drained.resolve();
    };
    const receiver = {
      headers: (metadata: Metadata) => {
        this.headers = metadata;
      },
      message: (message: Uint8Array) => this.#push({ message }),
      ended: (trailers: Metadata) => over({ trailers }),
      failed: (error: RpcError) => over({ error }),
      drained: () => this.#drained.resolve(),
    };
    this.#call = client.stream(`${SERVICE}/${method}`, receiver, options);
  }

  /** Resolves when another message may follow. */
  async send(message: Uint8Array): Promise<void> {
    this.#drained = Promise.withResolvers<void>();
    if (!this.#call.send(message) && !this.#over) await this.#drained.promise;
  }

  end(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  async next(): Promise<Uint8Array> {
    const event = await this.#event();
    if ("error" in event) throw event.error;
    return "message" in event ? event.message : assert.fail("the call ended instead of sending a message");
  }

  async ended(): Promise<Metadata> {
    const event = await this.#event();
    if ("error" in event) throw event.error;
    return "trailers" in event ? event.trailers : assert.fail("a message came instead of the end");
  }

  async failed(): Promise<RpcError> {
    const event = await this.#event();
    return "error" in event ? event.error : assert.fail("the call went on instead of failing");
  }

  #push(event: Event): void {
    this.#events.push(event);
    this.#arrived.resolve();
  }

  async #event(): Promise<Event> {
    for (;;) {
      const event = this.#events.shift();
      if (event) return event;
      this.#arrived = Promise.withResolvers<void>();
      await this.#arrived.promise;
    }
  }
}
