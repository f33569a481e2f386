import { decodePublishEvent } from "layotto-proto/publish-event";
import { type Handlers, Status } from "layotto-transport";
import type { PublishRequest } from "../../engine/publish.ts";
import type { CatalogueError } from "../../errors/catalogue.ts";
import { GRPC_STATUS } from "../../errors/grpc.ts";
import { decoded } from "./decoded.ts";

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
    // Seldom asked for: its code, and the library that it needs, are loaded then.
    "/spec.proto.runtime.v1.Runtime/SayHello": (bytes, call) => {
      import("./say-hello.ts")
        .then(({ sayHello }) => sayHello(bytes, call))
        .catch((error: unknown) => call.fail(Status.INTERNAL, `SayHello cannot be answered: ${String(error)}`));
    },
  };
}
