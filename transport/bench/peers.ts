// The programs that are compared, each in a process of its own: `node peers.ts ROLE`, told what to do by its parent.
import { createServer as createHttp2Server } from "node:http2";
import * as grpc from "@grpc/grpc-js";
import { connect, listen, streaming } from "../src/index.ts";

export interface Work {
  readonly port: number;
  readonly kind: "unary" | "streaming";
  readonly inFlight: number;
  readonly ms: number;
  readonly bytes: number;
}
/** What a process says: where it serves, or how many calls or messages it made, and the CPU that it used so far, in microseconds. */
export type Said = { readonly port: number } | { readonly calls: number } | { readonly cpu: number };

const UNARY = "/bench.Bench/Unary";
const STREAM = "/bench.Bench/Stream";
const EMPTY = Buffer.alloc(0);
const same = (bytes: Buffer): Buffer => bytes;
const definition = (path: string, stream: boolean) => ({
  path,
  requestStream: stream,
  responseStream: stream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

const roles: Readonly<Record<string, () => Promise<void> | void>> = {
  async "server ours"() {
    const echo = streaming((call) => ({ message: (message) => call.send(message), end: () => call.end() }));
    const server = await listen(
      { host: "127.0.0.1", port: 0 },
      { handlers: { [UNARY]: (_, call) => call.respond(EMPTY), [STREAM]: echo } },
    );
    if ("port" in server.address) say({ port: server.address.port });
  },

  "server grpc-js"() {
    const server = new grpc.Server();
    const service = { unary: definition(UNARY, false), stream: definition(STREAM, true) };
    server.addService(service as grpc.ServiceDefinition, {
      unary: (_: unknown, answer: grpc.sendUnaryData<Buffer>) => answer(null, EMPTY),
      stream: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        call.on("data", (message: Buffer) => call.write(message));
        call.on("end", () => call.end());
      },
    });
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (_, port) => say({ port }));
  },

  /** Nothing but Node's own HTTP/2: as little of gRPC as an empty unary call needs. */
  "server node:http2"() {
    const server = createHttp2Server();
    server.on("stream", (stream) => {
      stream.resume();
      stream.on("end", () => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end(Buffer.alloc(5));
      });
    });
    server.listen(0, "127.0.0.1", () => say({ port: (server.address() as { port: number }).port }));
  },

  "client ours"() {
    process.on("message", async (work: Work | "cpu") => {
      if (work === "cpu") return;
      const client = connect({ host: "127.0.0.1", port: work.port });
      const message = Buffer.alloc(work.bytes);
      const calls = await closedLoop(work, (over) => {
        if (work.kind === "unary") {
          const receiver = { response: over, failed: fail };
          return () => client.unary(UNARY, message, receiver);
        }
        // The stream ends with its client.
        const call = client.stream(STREAM, { message: over, ended: () => undefined, failed: () => undefined });
        return () => call.send(message);
      });
      client.close();
      say({ calls });
    });
  },

  "client grpc-js"() {
    process.on("message", async (work: Work | "cpu") => {
      if (work === "cpu") return;
      const client = new grpc.Client(`127.0.0.1:${work.port}`, grpc.credentials.createInsecure());
      const message = Buffer.alloc(work.bytes);
      const calls = await closedLoop(work, (over) => {
        if (work.kind === "unary") {
          return () => client.makeUnaryRequest(UNARY, same, same, message, (error) => (error ? fail(error) : over()));
        }
        const call = client.makeBidiStreamRequest(STREAM, same, same);
        call.on("data", over);
        call.on("error", () => undefined);
        return () => call.write(message);
      });
      client.close();
      say({ calls });
    });
  },
};

/** Keeps `inFlight` calls under way for `ms`, or as many messages on one stream; resolves to how many came back. */
function closedLoop(work: Work, prepare: (over: () => void) => () => void): Promise<number> {
  return new Promise((resolve) => {
    const endsAt = performance.now() + work.ms;
    let calls = 0;
    let underWay = work.inFlight;
    const go = prepare(() => {
      calls += 1;
      if (performance.now() < endsAt) go();
      else if (--underWay === 0) resolve(calls);
    });
    for (let index = 0; index < work.inFlight; index++) go();
  });
}

function fail(error: Error): never {
  throw error;
}

function say(said: Said): void {
  process.send?.(said);
}

process.on("message", (message) => {
  if (message !== "cpu") return;
  const { user, system } = process.cpuUsage();
  say({ cpu: user + system });
});
process.on("disconnect", () => process.exit());
await roles[process.argv[2] ?? ""]?.();
