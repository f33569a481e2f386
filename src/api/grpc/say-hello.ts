import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { SayHelloRequestSchema, SayHelloResponseSchema } from "layotto-proto/runtime";
import type { ServerCall } from "layotto-transport";
import { decoded } from "./decoded.ts";

export function sayHello(bytes: Uint8Array, call: ServerCall): void {
  const request = decoded(SayHelloRequestSchema.typeName, (one) => fromBinary(SayHelloRequestSchema, one), bytes, call);
  if (!request) return;
  const hello = request.name === "" ? "greeting" : `greeting, ${request.name}`;
  const data = request.data === undefined ? {} : { data: request.data };
  call.respond(toBinary(SayHelloResponseSchema, create(SayHelloResponseSchema, { hello, ...data })));
}
