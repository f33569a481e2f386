import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { echo } from "./client.fixture.ts";
import { type AdmissionCall, Metadata, type RpcError, type ServerCall, type ServerOptions, Status, streaming } from "./index.ts";
import { Bed, Conversation, call, failure, framed, outcome, rawCall, tcp, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

const stream = streaming((call) => ({ message: (message) => void call.send(message), end: () => call.end() }));

/** Notes each call's end, and tells when there are so many. */
function noted(): { onEnd: NonNullable<ServerOptions["onEnd"]>; ends: [string, number][]; count(ends: number): Promise<void> } {
  const ends: [string, number][] = [];
  let look: () => void = () => undefined;
  return {
    ends,
    onEnd: (path, code) => {
      ends.push([path, code]);
      look();
    },
    count: (wanted) =>
      new Promise((resolve) => {
        look = () => ends.length >= wanted && resolve();
        look();
      }),
  };
}

test("who is not admitted gets the answer, and the handler is not called", async () => {
  let worked = 0;
  const seen: [string, string | undefined, string | undefined][] = [];
  const admit = (call: AdmissionCall) => {
    seen.push([call.path, call.header("authorization"), call.metadata.get("authorization")]);
    return call.header("authorization") === "Bearer yes" ? undefined : { code: Status.UNAUTHENTICATED, details: "who is it?" };
  };
  const handlers = {
    "/t.T/Echo": (request: Uint8Array, answer: ServerCall) => {
      worked += 1;
      answer.respond(request);
    },
    "/t.T/Stream": streaming((call) => {
      worked += 1;
      return stream.open(call);
    }),
  };
  const { onEnd, ends } = noted();
  const server = await bed.serve(handlers, { admit, onEnd });
  const client = bed.client(server.address);
  const error = await failure(call(client, "/t.T/Echo", ""));
  expect([error.code, error.details, error.from]).toEqual([Status.UNAUTHENTICATED, "who is it?", "peer"]);
  const refused = new Conversation(client, "/t.T/Stream");
  refused.stream.send(Buffer.from("knock"));
  expect((await failure(refused.end)).code).toBe(Status.UNAUTHENTICATED);
  expect(worked).toBe(0);
  const metadata = new Metadata([["authorization", "Bearer yes"]]);
  expect(text(await call(client, "/t.T/Echo", "in", { metadata }))).toBe("in");
  const admitted = new Conversation(client, "/t.T/Stream", { metadata });
  admitted.stream.end();
  await admitted.end;
  expect(worked).toBe(2);
  const known = ["Bearer yes", "Bearer yes"];
  expect(seen).toEqual([
    ["/t.T/Echo", undefined, undefined],
    ["/t.T/Stream", undefined, undefined],
    ["/t.T/Echo", ...known],
    ["/t.T/Stream", ...known],
  ]);
  expect(ends).toEqual([
    ["/t.T/Echo", Status.UNAUTHENTICATED],
    ["/t.T/Stream", Status.UNAUTHENTICATED],
    ["/t.T/Echo", Status.OK],
    ["/t.T/Stream", Status.OK],
  ]);
});

test("nobody is asked about a method that there is not, nor about what is no call", async () => {
  let asked = 0;
  const { onEnd, ends } = noted();
  const server = await bed.serve(
    { "/t.T/Echo": echo },
    {
      onEnd,
      admit: () => {
        asked += 1;
        return undefined;
      },
    },
  );
  expect((await failure(call(bed.client(server.address), "/t.T/Other", ""))).code).toBe(Status.UNIMPLEMENTED);
  const http = await rawCall(bed.session(tcp(server)), "/t.T/Echo", { "content-type": "text/plain" }, Buffer.from("hello"));
  expect(http.headers[":status"]).toBe(415);
  expect(asked).toBe(0);
  expect(ends).toEqual([["/t.T/Other", Status.UNIMPLEMENTED]]);
});

test("a refusal may have any text", async () => {
  const details = "ünd so: 100 %\n\u{1f600}";
  const server = await bed.serve({ "/t.T/Echo": echo }, { admit: () => ({ code: Status.PERMISSION_DENIED, details }) });
  expect((await failure(call(bed.client(server.address), "/t.T/Echo", ""))).details).toBe(details);
});

test("each call's end is told once, with its status", async () => {
  const { onEnd, ends, count } = noted();
  const arrived = Promise.withResolvers<void>();
  const late = Promise.withResolvers<ServerCall>();
  const server = await bed.serve(
    {
      "/t.T/Ok": echo,
      "/t.T/Twice": (request, answer) => {
        answer.respond(request);
        answer.respond(request);
        answer.fail(Status.ABORTED, "too late");
      },
      "/t.T/Fail": (_, answer) => answer.fail(Status.ABORTED, "no"),
      "/t.T/Throw": () => {
        throw new Error("boom");
      },
      "/t.T/Hang": () => arrived.resolve(),
      "/t.T/Late": (_, answer) => late.resolve(answer),
      "/t.T/Stream": stream,
    },
    { onEnd, onError: () => undefined, maxMessageBytes: 1_000 },
  );
  const client = bed.client(server.address);
  const session = bed.session(tcp(server));
  const expected: [string, number][] = [];
  const next = async (path: string, code: number, made: Promise<unknown>) => {
    await made.catch(() => undefined);
    expected.push([path, code]);
    await count(expected.length);
    expect(ends).toEqual(expected);
  };
  await next("/t.T/Ok", Status.OK, call(client, "/t.T/Ok", ""));
  await next("/t.T/Twice", Status.OK, call(client, "/t.T/Twice", ""));
  await next("/t.T/Fail", Status.ABORTED, call(client, "/t.T/Fail", ""));
  await next("/t.T/Throw", Status.INTERNAL, call(client, "/t.T/Throw", ""));
  await next("/t.T/Ok", Status.RESOURCE_EXHAUSTED, call(client, "/t.T/Ok", new Uint8Array(1_001)));
  await next("/t.T/Ok", Status.INTERNAL, rawCall(session, "/t.T/Ok", { "grpc-timeout": "soon" }, framed(new Uint8Array())));
  await next("/t.T/Ok", Status.UNIMPLEMENTED, rawCall(session, "/t.T/Ok", {}, new Uint8Array()));
  await next("/t.T/Ok", Status.UNIMPLEMENTED, rawCall(session, "/t.T/Ok", {}, new Uint8Array(10)));
  await next("/t.T/Ok", Status.INTERNAL, rawCall(session, "/t.T/Ok", {}, new Uint8Array(3)));
  const metadata = new Metadata([["x-much", "v".repeat(20_000)]]);
  await next("/t.T/Ok", Status.RESOURCE_EXHAUSTED, call(client, "/t.T/Ok", "", { metadata }));
  // A client that does not look at the deadline itself: else it may be the first to give up.
  await next("/t.T/Late", Status.DEADLINE_EXCEEDED, rawCall(session, "/t.T/Late", { "grpc-timeout": "50m" }, framed(new Uint8Array())));
  (await late.promise).respond(new Uint8Array());
  const hanging = client.unary("/t.T/Hang", new Uint8Array(), { response: () => undefined, failed: () => undefined });
  await arrived.promise;
  hanging.cancel();
  await next("/t.T/Hang", Status.CANCELLED, Promise.resolve());
  const talk = new Conversation(client, "/t.T/Stream");
  talk.stream.send(Buffer.from("a"));
  await talk.next();
  talk.stream.end();
  await next("/t.T/Stream", Status.OK, talk.end);
  const cut = new Conversation(client, "/t.T/Stream");
  cut.stream.send(Buffer.from("a"));
  await cut.next();
  await server.close(AbortSignal.abort());
  await next("/t.T/Stream", Status.CANCELLED, cut.end);
});

test("what a handler throws is told with its path, whatever it is, also after the answer", async () => {
  const told: unknown[] = [];
  const server = await bed.serve(
    {
      "/t.T/Echo": echo,
      "/t.T/Text": () => {
        throw "just text";
      },
      "/t.T/After": (request, answer) => {
        answer.respond(request);
        throw new Error("afterwards");
      },
    },
    { onError: (error, path) => void told.push([error instanceof Error ? error.message : error, path]) },
  );
  const client = bed.client(server.address);
  const error: RpcError = await failure(call(client, "/t.T/Text", ""));
  expect([error.code, error.from]).toEqual([Status.INTERNAL, "peer"]);
  expect(error.details).not.toContain("text");
  expect(text(await call(client, "/t.T/After", "answered"))).toBe("answered");
  expect(text(await call(client, "/t.T/Echo", "on"))).toBe("on");
  expect(told).toEqual([
    ["just text", "/t.T/Text"],
    ["afterwards", "/t.T/After"],
  ]);
});

test("without onError it is a warning of the process, with its stack", async () => {
  const server = await bed.serve({
    "/t.T/Throw": () => {
      throw new Error("boom");
    },
  });
  const warned = once(process, "warning");
  expect(await outcome(call(bed.client(server.address), "/t.T/Throw", ""))).toEqual([Status.INTERNAL, "peer"]);
  const [warning] = await warned;
  expect(String(warning.message)).toMatch(/\/t\.T\/Throw.*boom[\s\S]*hooks\.test\.ts/);
});

test("a connection beyond the most that are allowed is closed, and the others go on", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo }, { maxConnections: 1 });
  const first = bed.client(server.address);
  await call(first, "/t.T/Echo", "");
  expect(await outcome(call(bed.client(server.address), "/t.T/Echo", ""))).toEqual([Status.UNAVAILABLE, "unsent"]);
  expect(text(await call(first, "/t.T/Echo", "on"))).toBe("on");
});
