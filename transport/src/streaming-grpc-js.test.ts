import { once } from "node:events";
import { credentials, Client as GrpcJsClient, Server as GrpcJsServer, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { Status, streaming } from "./index.ts";
import { MIB } from "./streaming.fixture.ts";
import { Bed, Conversation, pattern, tcp } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

describe("10 MiB each way with grpc-js, whose readers stop now and then", () => {
  const bytes = 64 * 1024;
  const count = (10 * MIB) / bytes;
  const same = (value: Buffer) => value;
  const method = { path: "/t.T/Echo", requestStream: true, responseStream: true } as const;
  const codec = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };

  function inOrder(messages: readonly Uint8Array[]): void {
    expect(messages.length).toBe(count);
    for (const [index, message] of messages.entries()) expect(pattern(bytes, index).equals(message)).toBe(true);
  }

  test("our client and its server", async () => {
    const server = new GrpcJsServer();
    const echoed = (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (message: Buffer) => {
        if (!call.write(message)) call.pause();
      });
      call.on("drain", () => call.resume());
      call.on("end", () => call.end());
    };
    server.addService({ echo: { ...method, ...codec } }, { echo: echoed });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    bed.after(() => server.forceShutdown());
    const talk = new Conversation(bed.client({ host: "127.0.0.1", port }), "/t.T/Echo");
    talk.stream.pause();
    const sending = (async () => {
      for (let index = 0; index < count; index++) await talk.send(pattern(bytes, index));
      talk.stream.end();
    })();
    // The client has stopped the server, which in turn has stopped the client.
    let whole = false;
    void sending.then(() => {
      whole = true;
    });
    for (let got = 0; got < count; got += 40) {
      talk.stream.resume();
      while (talk.messages.length < Math.min(got + 40, count)) await talk.next();
      if (got === 0) expect(whole).toBe(false);
      talk.stream.pause();
    }
    talk.stream.resume();
    await Promise.all([sending, talk.end]);
    inOrder(talk.messages);
    expect(talk.wrongs).toEqual([]);
  });

  test("our server and its client", async () => {
    const server = await bed.serve({
      "/t.T/Echo": streaming((call) => ({
        message: (message) => {
          if (!call.send(message)) call.pause();
        },
        drained: () => call.resume(),
        end: () => call.end(),
      })),
    });
    const client = new GrpcJsClient(`127.0.0.1:${tcp(server).port}`, credentials.createInsecure());
    bed.after(() => client.close());
    const call = client.makeBidiStreamRequest(method.path, same, same);
    const ended = once(call, "status");
    const sending = (async () => {
      for (let index = 0; index < count; index++) if (!call.write(pattern(bytes, index))) await once(call, "drain");
      call.end();
    })();
    const messages: Buffer[] = [];
    for await (const message of call) {
      messages.push(message);
      if (messages.length % 10 === 0) await new Promise(setImmediate);
    }
    await sending;
    expect((await ended)[0].code).toBe(Status.OK);
    inOrder(messages);
  });
});
