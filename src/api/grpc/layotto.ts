import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { decodePublishEvent } from "layotto-proto/publish-event";
import { SayHelloRequestSchema, SayHelloResponseSchema } from "layotto-proto/runtime";
import { type Handlers, type ServerCall, Status } from "layotto-transport";
import type { PublishRequest } from "../../engine/publish.ts";
import type { CatalogueError } from "../../errors/catalogue.ts";
import { GRPC_STATUS } from "../../errors/grpc.ts";

/** What the API needs of the engine. */
export interface Engine {
  publish(request: PublishRequest, done: (error?: CatalogueError) => void): void;
}

const EMPTY = new Uint8Array();

/** Layotto's `spec.proto.runtime.v1.Runtime`: the methods that we serve. The transport answers UNIMPLEMENTED to the others. */
export function layotto(engine: Engine): Handlers {
  return {
    "/spec.proto.runtime.v1.Runtime/PublishEvent": (bytes, call) => {
      const request = decoded("spec.proto.runtime.v1.PublishEventRequest", decodePublishEvent, bytes, call);
      if (!request) return;
      engine.publish(
        {
          pubsub: request.pubsubName,
          topic: request.topic,
          data: request.data,
          contentType: request.dataContentType,
          metadata: request.metadata,
          deadline: call.deadline,
        },
        (error) => (error ? call.fail(GRPC_STATUS[error.code], error.message) : call.respond(EMPTY)),
      );
    },
    "/spec.proto.runtime.v1.Runtime/SayHello": (bytes, call) => {
      const request = decoded(SayHelloRequestSchema.typeName, (one) => fromBinary(SayHelloRequestSchema, one), bytes, call);
      if (!request) return;
      const hello = request.name === "" ? "greeting" : `greeting, ${request.name}`;
      const data = request.data === undefined ? {} : { data: request.data };
      call.respond(toBinary(SayHelloResponseSchema, create(SayHelloResponseSchema, { hello, ...data })));
    },
  };
}

function decoded<Message>(name: string, decode: (bytes: Uint8Array) => Message, bytes: Uint8Array, call: ServerCall): Message | undefined {
  try {
    return decode(bytes);
  } catch (error) {
    call.fail(Status.INTERNAL, `the request is not a ${name}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
