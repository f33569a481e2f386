import { type Handlers, type ServerCall, type ServerStream, streaming } from "./server.ts";
import { Status } from "./status.ts";

/** gRPC's standard health service, `grpc.health.v1.Health`: what Kubernetes' gRPC probes and grpc-health-probe ask. */
export interface Health {
  /** To be put among a server's handlers. */
  readonly handlers: Handlers;
  /** Says how a service stands; `""` is the server as a whole, which serves until told otherwise. */
  set(service: string, status: HealthState): void;
}

export type HealthState = "SERVING" | "NOT_SERVING";

/** grpc.health.v1.HealthCheckResponse, whole: field 1, the status. */
const ANSWERS = { SERVING: Uint8Array.of(0x08, 1), NOT_SERVING: Uint8Array.of(0x08, 2), SERVICE_UNKNOWN: Uint8Array.of(0x08, 3) } as const;

/** A server that closes ends the calls of those who watch. */
export function health(): Health {
  const states = new Map<string, HealthState>([["", "SERVING"]]);
  const watchers = new Map<ServerStream, string>();
  const check = (request: Uint8Array, call: ServerCall) => {
    const service = serviceOf(request);
    const state = service === undefined ? undefined : states.get(service);
    if (state !== undefined) call.respond(ANSWERS[state]);
    else if (service === undefined) call.fail(Status.INVALID_ARGUMENT, "the request is not a HealthCheckRequest");
    else call.fail(Status.NOT_FOUND, `the service ${service} is not known`);
  };
  const watch = streaming((call) => {
    const over = (code: Status, details: string): void => {
      watchers.delete(call);
      call.fail(code, details);
    };
    call.onCancel(() => watchers.delete(call));
    return {
      message(request) {
        const service = serviceOf(request);
        if (service === undefined) over(Status.INVALID_ARGUMENT, "the request is not a HealthCheckRequest");
        else if (watchers.has(call)) over(Status.UNIMPLEMENTED, "more than one message came to a method that takes one");
        else {
          watchers.set(call, service);
          call.send(ANSWERS[states.get(service) ?? "SERVICE_UNKNOWN"]);
        }
      },
      end() {},
      closing: () => over(Status.UNAVAILABLE, "the server stops"),
    };
  });
  return {
    handlers: { "/grpc.health.v1.Health/Check": check, "/grpc.health.v1.Health/Watch": watch },
    set(service, state) {
      if (states.get(service) === state) return;
      states.set(service, state);
      for (const [call, watched] of watchers) if (watched === service) call.send(ANSWERS[state]);
    },
  };
}

/** grpc.health.v1.HealthCheckRequest has one field, a string. Undefined: it is something else. */
function serviceOf(request: Uint8Array): string | undefined {
  if (request.length === 0) return "";
  const [tag, length] = request;
  return tag === 0x0a && length === request.length - 2 && length < 0x80 ? new TextDecoder().decode(request.subarray(2)) : undefined;
}
