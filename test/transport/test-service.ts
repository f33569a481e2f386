import { type Handlers, Metadata, type ServerCall, type ServerStream, type Status, streaming } from "layotto-transport";
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

const INITIAL = "x-grpc-test-echo-initial";
const TRAILING = "x-grpc-test-echo-trailing-bin";

/** gRPC's `grpc.testing.TestService`, as its interoperability tests want it from a server. `UnimplementedCall` is absent on purpose. */
export function testService(): Handlers {
  return {
    "/grpc.testing.TestService/EmptyCall": (_request, call) => call.respond(encode(Empty)),
    "/grpc.testing.TestService/UnaryCall": (request, call) => {
      const { responseSize, responseStatus } = decode(SimpleRequest, request);
      const trailers = echo(call);
      if (responseStatus && responseStatus.code !== 0) call.fail(responseStatus.code as Status, responseStatus.message, trailers);
      else call.respond(encode(SimpleResponse, { payload: zeros(responseSize) }), trailers);
    },
    "/grpc.testing.TestService/StreamingInputCall": streaming((call) => {
      let sum = 0;
      return {
        message(bytes) {
          sum += decode(StreamingInputCallRequest, bytes).payload?.body.length ?? 0;
        },
        end() {
          call.send(encode(StreamingInputCallResponse, { aggregatedPayloadSize: sum }));
          call.end();
        },
      };
    }),
    "/grpc.testing.TestService/StreamingOutputCall": streaming((call) => new Responder(call)),
    "/grpc.testing.TestService/FullDuplexCall": streaming((call) => new Responder(call)),
  };
}

/** Sends the initial metadata that the caller wants to have back, and returns the trailing. */
function echo(call: ServerCall | ServerStream): Metadata {
  const initial = call.metadata.get(INITIAL);
  if (initial !== undefined) call.sendHeaders(new Metadata([[INITIAL, initial]]));
  const trailing = call.metadata.bytes(TRAILING);
  return new Metadata(trailing === undefined ? [] : [[TRAILING, trailing]]);
}

/** Answers each request with as many messages as it asks for. While the caller does not keep up, it takes no further request. */
class Responder {
  readonly #call: ServerStream;
  readonly #trailers: Metadata;
  /** The sizes of the messages that are yet to be sent. */
  readonly #due: number[] = [];
  #full = false;
  #ended = false;

  constructor(call: ServerStream) {
    this.#call = call;
    this.#trailers = echo(call);
  }

  message(bytes: Uint8Array): void {
    const { responseParameters, responseStatus } = decode(StreamingOutputCallRequest, bytes);
    if (responseStatus && responseStatus.code !== 0) {
      this.#due.length = 0;
      this.#call.fail(responseStatus.code as Status, responseStatus.message, this.#trailers);
      return;
    }
    this.#due.push(...responseParameters.map(({ size }) => size));
    this.#send();
  }

  end(): void {
    this.#ended = true;
    this.#send();
  }

  drained(): void {
    this.#full = false;
    this.#call.resume();
    this.#send();
  }

  #send(): void {
    while (!this.#full) {
      const size = this.#due.shift();
      if (size === undefined) break;
      if (!this.#call.send(encode(StreamingOutputCallResponse, { payload: zeros(size) }))) {
        this.#full = true;
        this.#call.pause();
      }
    }
    if (this.#ended && this.#due.length === 0) this.#call.end(this.#trailers);
  }
}
