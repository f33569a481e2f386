import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  type Address,
  type CallOptions,
  type Client,
  connect,
  ListenError,
  listen,
  RpcError,
  type Server,
  Status,
  type UnaryHandler,
} from "./index.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const loopback: Address = { host: "127.0.0.1", port: 0 };

async function serve(handlers: Record<string, UnaryHandler>, address: Address = loopback, maxMessageBytes?: number): Promise<Server> {
  const server = await listen(address, { handlers, ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }) });
  cleanups.push(() => server.close(AbortSignal.abort()));
  return server;
}

function client(address: Address): Client {
  const made = connect(address);
  cleanups.push(() => made.close());
  return made;
}

function call(to: Client, path: string, request: string | Uint8Array, options?: CallOptions): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    to.unary(path, Buffer.from(request), { response: resolve, failed: reject }, options);
  });
}

const failure = (promise: Promise<unknown>): Promise<RpcError> =>
  promise.then(
    () => expect.unreachable("the call succeeded"),
    (error: unknown) => error as RpcError,
  );

async function freePort(): Promise<number> {
  const probe = createServer();
  const port = await new Promise<number>((resolve) => {
    probe.listen(0, "127.0.0.1", () => resolve((probe.address() as { port: number }).port));
  });
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const echo: UnaryHandler = (request, answer) => answer.respond(request);

test("bytes go there and back over TCP", async () => {
  const server = await serve({ "/t.T/Echo": echo });
  const every = Uint8Array.from({ length: 256 }, (_, value) => value);
  expect([...(await call(client(server.address), "/t.T/Echo", every))]).toEqual([...every]);
});

test("an empty message is a message", async () => {
  const server = await serve({ "/t.T/Echo": echo });
  expect((await call(client(server.address), "/t.T/Echo", "")).length).toBe(0);
});

test("bytes go there and back over a Unix socket", async () => {
  const folder = await mkdtemp(join(tmpdir(), "layotto-transport-"));
  cleanups.push(() => rm(folder, { recursive: true }));
  const server = await serve({ "/t.T/Echo": echo }, { path: join(folder, "s.sock") });
  expect(text(await call(client(server.address), "/t.T/Echo", "hi"))).toBe("hi");
});

test("a Unix socket that a killed process left behind is taken over, one that is served is not", async () => {
  const folder = await mkdtemp(join(tmpdir(), "layotto-transport-"));
  cleanups.push(() => rm(folder, { recursive: true }));
  const path = join(folder, "s.sock");
  const leaveBehind = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", leaveBehind]), "exit");
  const server = await serve({ "/t.T/Echo": echo }, { path });
  await expect(serve({}, { path })).rejects.toThrow(ListenError);
  expect(text(await call(client(server.address), "/t.T/Echo", "hi"))).toBe("hi");
});

test("an unknown method is UNIMPLEMENTED at once", async () => {
  const server = await serve({ "/t.T/Echo": echo });
  const error = await failure(call(client(server.address), "/t.T/Other", ""));
  expect([error.code, error.from]).toEqual([Status.UNIMPLEMENTED, "peer"]);
});

test("a status that the server sent is told from a lost connection", async () => {
  const server = await serve({ "/t.T/Busy": (_, answer) => answer.fail(Status.UNAVAILABLE, "busy; ünd so") });
  const error = await failure(call(client(server.address), "/t.T/Busy", ""));
  expect([error.code, error.details, error.from]).toEqual([Status.UNAVAILABLE, "busy; ünd so", "peer"]);
});

test("a refused connection says that nothing was sent", async () => {
  const error = await failure(call(client({ host: "127.0.0.1", port: await freePort() }), "/t.T/Echo", ""));
  expect(error).toBeInstanceOf(RpcError);
  expect([error.code, error.from]).toEqual([Status.UNAVAILABLE, "unsent"]);
});

test("a connection lost in mid-call says that the server may have seen it", async () => {
  const arrived = Promise.withResolvers<void>();
  const server = await serve({ "/t.T/Hang": () => arrived.resolve() });
  const pending = failure(call(client(server.address), "/t.T/Hang", ""));
  await arrived.promise;
  await server.close(AbortSignal.abort());
  expect((await pending).from).toBe("connection");
});

test("a call that waits for its server gets through when it starts", async () => {
  const address: Address = { host: "127.0.0.1", port: await freePort() };
  const waiting = client(address);
  const refused = new Promise<void>((resolve) => {
    waiting.onState((state) => state === "unreachable" && resolve());
  });
  const answer = call(waiting, "/t.T/Echo", "late", { waitForReady: true });
  await refused;
  await serve({ "/t.T/Echo": echo }, address);
  expect(text(await answer)).toBe("late");
});

test("the deadline travels, and ends the call on both sides", async () => {
  const seen = Promise.withResolvers<number | undefined>();
  const cancelled = Promise.withResolvers<void>();
  const server = await serve({
    "/t.T/Hang": (_, answer) => {
      seen.resolve(answer.deadline);
      answer.onCancel(cancelled.resolve);
    },
  });
  const deadline = Date.now() + 300;
  const error = await failure(call(client(server.address), "/t.T/Hang", "", { deadline }));
  expect(error.code).toBe(Status.DEADLINE_EXCEEDED);
  expect(Math.abs(((await seen.promise) ?? 0) - deadline)).toBeLessThan(300);
  await cancelled.promise;
});

test("a cancelled call fails with CANCELLED", async () => {
  const server = await serve({ "/t.T/Hang": () => undefined });
  const outcome = Promise.withResolvers<RpcError>();
  const running = client(server.address).unary("/t.T/Hang", Buffer.alloc(0), {
    response: () => outcome.reject(new Error("the call succeeded")),
    failed: outcome.resolve,
  });
  running.cancel();
  expect((await outcome.promise).code).toBe(Status.CANCELLED);
});

test("a request above the limit is refused with the limit in the text", async () => {
  const server = await serve({ "/t.T/Echo": echo }, loopback, 1_000);
  const error = await failure(call(client(server.address), "/t.T/Echo", new Uint8Array(1_001)));
  expect(error.code).toBe(Status.RESOURCE_EXHAUSTED);
  expect(error.details).toContain("1000");
});

test("closing lets a running call finish", async () => {
  const arrived = Promise.withResolvers<() => void>();
  const server = await serve({ "/t.T/Slow": (request, answer) => arrived.resolve(() => answer.respond(request)) });
  const answer = call(client(server.address), "/t.T/Slow", "done");
  const finish = await arrived.promise;
  const closed = server.close();
  finish();
  expect(text(await answer)).toBe("done");
  await closed;
});

test("an address that is taken is an error that names it", async () => {
  const server = await serve({});
  await expect(listen(server.address, { handlers: {} })).rejects.toThrow(/EADDRINUSE/);
});
