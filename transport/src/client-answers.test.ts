import { once } from "node:events";
import { createServer as createHttp1, type OutgoingHttpHeaders } from "node:http";
import { afterEach, expect, test } from "vitest";
import { UNSENT } from "./client.fixture.ts";
import { Status } from "./index.ts";
import { addressOf, answerOk, Bed, call, failure, outcome, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

test("an attempt to connect to a server that never speaks ends in time", async () => {
  const silent = await bed.tcp((socket) => socket.resume());
  const client = bed.client(silent.address, { connectTimeoutMs: 50 });
  expect(await outcome(call(client, "/t.T/Any", ""))).toEqual(UNSENT);
});

test("a server that hangs up at once cannot be reached", async () => {
  const rude = await bed.tcp((socket) => socket.end());
  expect(await outcome(call(bed.client(rude.address), "/t.T/Any", ""))).toEqual(UNSENT);
});

test("a server that speaks HTTP/1 cannot be reached", async () => {
  const server = createHttp1((_, response) => response.end("hello"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  bed.after(() => server.close());
  expect(await outcome(call(bed.client(addressOf(server)), "/t.T/Any", ""))).toEqual(UNSENT);
});

test("what HTTP answers instead of gRPC is told as gRPC says", async () => {
  const codes = [
    [400, Status.INTERNAL],
    [401, Status.UNAUTHENTICATED],
    [403, Status.PERMISSION_DENIED],
    [404, Status.UNIMPLEMENTED],
    [429, Status.UNAVAILABLE],
    [502, Status.UNAVAILABLE],
    [503, Status.UNAVAILABLE],
    [418, Status.UNKNOWN],
    [200, Status.UNKNOWN],
  ] as const;
  const server = await bed.http2((stream, headers) => {
    const [, status = "", ended] = String(headers[":path"]).split("/");
    stream.respond({ ":status": Number(status), "content-type": "text/html" }, { endStream: ended === "ended" });
    if (ended !== "ended") stream.end("<html>no</html>");
  });
  const client = bed.client(server.address);
  for (const [http, status] of codes) {
    for (const ended of ["ended", "body"]) {
      const error = await failure(call(client, `/${http}/${ended}`, ""));
      expect([http, error.code, error.from]).toEqual([http, status, "peer"]);
      expect(error.details).toContain(String(http));
    }
  }
});

test("an answer whose trailers are too large is no success, and keeps the status that was read", async () => {
  const large = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`x-${index}`, "v".repeat(1_000)]));
  const sent: Readonly<Record<string, OutgoingHttpHeaders>> = {
    "/t/First": { "grpc-status": "0", ...large },
    "/t/Last": { ...large, "grpc-status": "0" },
    "/t/Error": { "grpc-status": "5", ...large },
  };
  const server = await bed.http2((stream, headers) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers(sent[String(headers[":path"])] ?? {}));
    stream.end(Buffer.from([0, 0, 0, 0, 1, 65]));
  });
  const client = bed.client(server.address);
  for (const path of ["/t/First", "/t/Last", "/t/Error"]) {
    const { code, details } = await failure(call(client, path, ""));
    expect([code, details]).toEqual([
      path === "/t/Error" ? Status.NOT_FOUND : Status.RESOURCE_EXHAUSTED,
      expect.stringContaining("too large"),
    ]);
  }
});

test("an answer without a status, one without a message and one with two are errors", async () => {
  const grpc = { ":status": 200, "content-type": "application/grpc" };
  const server = await bed.http2((stream, headers) => {
    const kind = headers[":path"];
    if (kind === "/t/NoStatus") {
      stream.respond(grpc);
      stream.end(Buffer.alloc(5));
      return;
    }
    stream.respond(grpc, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(kind === "/t/NoMessage" ? "" : kind === "/t/Half" ? Buffer.from([0, 0, 0, 0, 9, 1]) : Buffer.alloc(10));
  });
  const client = bed.client(server.address);
  for (const kind of ["NoStatus", "NoMessage", "Half", "Two"]) {
    expect([kind, ...(await outcome(call(client, `/t/${kind}`, "")))]).toEqual([kind, Status.INTERNAL, "peer"]);
  }
  expect(client.state).toBe("ready");
});

test("a status that nobody knows is handed on, and one that is no number is UNKNOWN", async () => {
  const server = await bed.http2((stream, headers) => {
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": String(headers[":path"]).slice(1) },
      { endStream: true },
    );
  });
  const client = bed.client(server.address);
  expect((await failure(call(client, "/77", ""))).code).toBe(77);
  expect((await failure(call(client, "/abc", ""))).code).toBe(Status.UNKNOWN);
});

test("an interim answer is passed over", async () => {
  const server = await bed.http2((stream) => {
    stream.additionalHeaders({ ":status": 103 });
    answerOk(stream, Buffer.from("the real one"));
  });
  expect(text(await call(bed.client(server.address), "/t.T/Any", ""))).toBe("the real one");
});
