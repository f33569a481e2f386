import type { Handlers, ServerCall } from "layotto-transport";
import type { CallCounts, Calls } from "../../telemetry/calls.ts";

/** The same handlers, with every call and its outcome counted by its method. */
export function counted(handlers: Handlers, calls: Calls): Handlers {
  return Object.fromEntries(
    Object.entries(handlers).map(([path, handle]) => {
      const counts = calls.get(path) ?? { requests: 0, succeeded: 0, failed: 0 };
      calls.set(path, counts);
      return [
        path,
        (request, call) => {
          counts.requests += 1;
          handle(request, new CountedCall(call, counts));
        },
      ] satisfies [string, Handlers[string]];
    }),
  );
}

class CountedCall implements ServerCall {
  readonly #call: ServerCall;
  readonly #counts: CallCounts;

  constructor(call: ServerCall, counts: CallCounts) {
    this.#call = call;
    this.#counts = counts;
  }

  get deadline(): number | undefined {
    return this.#call.deadline;
  }

  header(name: string): string | undefined {
    return this.#call.header(name);
  }

  onCancel(fn: () => void): void {
    this.#call.onCancel(fn);
  }

  respond(message: Uint8Array): void {
    this.#counts.succeeded += 1;
    this.#call.respond(message);
  }

  fail(...reason: Parameters<ServerCall["fail"]>): void {
    this.#counts.failed += 1;
    this.#call.fail(...reason);
  }
}
