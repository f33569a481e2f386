import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect as dial } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { echo, LOST, UNSENT } from "./client.fixture.ts";
import { type ServerCall, type ServerStream, Status, streaming } from "./index.ts";
import { Bed, Conversation, call, freePort, outcome, reached, tcp, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

/** A server with a unary call and a stream under way. */
async function busy() {
  const unary = Promise.withResolvers<ServerCall>();
  const stream = Promise.withResolvers<ServerStream>();
  const server = await bed.serve({
    "/t.T/Echo": echo,
    "/t.T/Hang": (_, answer) => unary.resolve(answer),
    "/t.T/Stream": streaming((call) => {
      stream.resolve(call);
      return { message: (message) => void call.send(message), end: () => call.end() };
    }),
  });
  const client = bed.client(server.address);
  const answer = call(client, "/t.T/Hang", "");
  answer.catch(() => undefined);
  const talk = new Conversation(client, "/t.T/Stream");
  talk.stream.send(Buffer.from("begun"));
  await talk.next();
  return { server, client, answer, talk, unary: await unary.promise, stream: await stream.promise };
}

test("closing lets running calls and streams finish, and takes no new ones", async () => {
  const { server, client, answer, talk, unary } = await busy();
  const idle = reached(client, "idle");
  let closed = false;
  const closing = server.close().then(() => {
    closed = true;
  });
  await idle;
  expect(await outcome(call(client, "/t.T/Echo", ""))).toEqual(UNSENT);
  expect(await outcome(call(bed.client(server.address), "/t.T/Echo", ""))).toEqual(UNSENT);
  for (let turn = 0; turn < 10; turn++) {
    talk.stream.send(Buffer.from(`turn ${turn}`));
    expect(text(await talk.next())).toBe(`turn ${turn}`);
  }
  unary.respond(Buffer.from("finished"));
  expect(text(await answer)).toBe("finished");
  expect(closed).toBe(false);
  talk.stream.end();
  await talk.end;
  await closing;
});

test("a client goes on with the next server at the same address", async () => {
  const { server, client, answer, talk, unary } = await busy();
  const idle = reached(client, "idle");
  const closing = server.close();
  await idle;
  await bed.serve({ "/t.T/Echo": echo }, {}, server.address);
  expect(text(await call(client, "/t.T/Echo", "next", { waitForReady: true }))).toBe("next");
  unary.respond(new Uint8Array());
  talk.stream.end();
  await Promise.all([answer, talk.end, closing]);
});

test("of calls that cross with closing each is answered, or certainly not worked on", async () => {
  let worked = 0;
  const server = await bed.serve({
    "/t.T/Count": (request, answer) => {
      worked += 1;
      setImmediate(() => answer.respond(request));
    },
  });
  const clients = Array.from({ length: 4 }, () => bed.client(server.address));
  await Promise.all(clients.map((client) => call(client, "/t.T/Count", "")));
  worked = 0;
  const outcomes = clients.flatMap((client) =>
    Array.from({ length: 200 }, () =>
      call(client, "/t.T/Count", "").then(
        () => "answered",
        ({ from }) => from as string,
      ),
    ),
  );
  // Some have left, and some not yet.
  await outcomes[0];
  outcomes.push(
    ...clients.flatMap((client) =>
      Array.from({ length: 200 }, () =>
        call(client, "/t.T/Count", "").then(
          () => "answered",
          ({ from }) => from as string,
        ),
      ),
    ),
  );
  await server.close();
  const ends = await Promise.all(outcomes);
  expect(ends.filter((end) => end !== "answered" && end !== "unsent")).toEqual([]);
  expect(ends.filter((end) => end === "answered").length).toBe(worked);
});

test("a cut ends what runs", async () => {
  const { server, answer, talk, unary, stream } = await busy();
  const cancelled = Promise.all([unary, stream].map((call) => new Promise<void>((resolve) => call.onCancel(resolve))));
  await server.close(AbortSignal.abort());
  await cancelled;
  expect(await outcome(answer)).toEqual(LOST);
  expect(await outcome(talk.end)).toEqual(LOST);
  unary.respond(new Uint8Array());
  expect(stream.send(new Uint8Array())).toBe(true);
});

test("closing becomes a cut when its signal aborts, also one that comes with a second close", async () => {
  for (const second of [false, true]) {
    const { server, client, answer, talk } = await busy();
    const idle = reached(client, "idle");
    const patience = new AbortController();
    const closing = second ? server.close() : server.close(patience.signal);
    await idle;
    const all = second ? [closing, server.close(patience.signal)] : [closing];
    patience.abort();
    await Promise.all(all);
    expect(await outcome(answer)).toEqual(LOST);
    expect(await outcome(talk.end)).toEqual(LOST);
  }
});

test("clients that are connected and do nothing do not hold it up", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const clients = Array.from({ length: 10 }, () => bed.client(server.address));
  const session = bed.session(tcp(server));
  await Promise.all([once(session, "connect"), ...clients.map((client) => call(client, "/t.T/Echo", ""))]);
  const idle = clients.map((client) => reached(client, "idle"));
  await server.close();
  await Promise.all(idle);
});

test("a stream is told once that the server closes, and goes on; one that has ended is not", async () => {
  const told: string[] = [];
  const open = (name: string) =>
    streaming((call) => ({
      message: (message) => void call.send(message),
      end: () => call.end(),
      closing: () => void told.push(name),
    }));
  const server = await bed.serve({ "/t.T/Stream": open("open"), "/t.T/Ended": open("ended") });
  const client = bed.client(server.address);
  const ended = new Conversation(client, "/t.T/Ended");
  ended.stream.end();
  await ended.end;
  const talk = new Conversation(client, "/t.T/Stream");
  talk.stream.send(Buffer.from("begun"));
  await talk.next();
  const closing = server.close();
  await reached(client, "idle");
  for (let turn = 0; turn < 10; turn++) {
    talk.stream.send(Buffer.from(`turn ${turn}`));
    expect(text(await talk.next())).toBe(`turn ${turn}`);
  }
  expect(told).toEqual(["open"]);
  talk.stream.end();
  await talk.end;
  await closing;
  expect(told).toEqual(["open"]);
});

test("a stream that the client has cancelled does not hold it up", async () => {
  const { server, talk, answer, unary } = await busy();
  talk.stream.cancel();
  unary.respond(new Uint8Array());
  await answer;
  await server.close();
});

test("an answer larger than the windows is sent whole before the connection ends", async () => {
  const large = Buffer.alloc(3 * 2 ** 20, 7);
  const arrived = Promise.withResolvers<ServerCall>();
  const server = await bed.serve({ "/t.T/Large": (_, answer) => arrived.resolve(answer) });
  const client = bed.client(server.address);
  const answer = call(client, "/t.T/Large", "");
  const running = await arrived.promise;
  const closing = server.close();
  running.respond(large);
  expect(large.equals(await answer)).toBe(true);
  await closing;
});

test("a cut does not wait for one who connected and said nothing", async () => {
  const server = await bed.serve({ "/t.T/Echo": echo });
  const silent = dial(tcp(server));
  silent.on("error", () => undefined);
  const gone = once(silent.resume(), "close");
  await once(silent, "connect");
  await call(bed.client(server.address), "/t.T/Echo", "");
  await server.close(AbortSignal.abort());
  await gone;
});

test("closing twice is closing once, and the address is free at once", async () => {
  const path = join(await bed.folder(), "s.sock");
  const server = await bed.serve({ "/t.T/Echo": echo }, {}, { path });
  await call(bed.client(server.address), "/t.T/Echo", "");
  await Promise.all([server.close(), server.close()]);
  await server.close();
  expect(existsSync(path)).toBe(false);
  const again = await bed.serve({ "/t.T/Echo": echo }, {}, { path });
  expect(text(await call(bed.client(again.address), "/t.T/Echo", "again"))).toBe("again");
});

/** Runs a module in a process of its own, which must end by itself. */
async function runs(body: string): Promise<[code: unknown, output: string]> {
  const source = `import { connect, listen, streaming } from ${JSON.stringify(new URL("index.ts", import.meta.url).href)};\n${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", "inherit"] });
  bed.after(() => child.kill("SIGKILL"));
  const [output, [code]] = await Promise.all([buffer(child.stdout), once(child, "exit")]);
  return [code, output.toString()];
}

const CALL = `const call = (client, path, options) => new Promise((response, failed) => {
  client.unary(path, Buffer.from("x"), { response, failed: (error) => response(error) }, options);
});`;

test("a process ends by itself once its client and its server are closed", async () => {
  const body = `${CALL}
const handlers = { "/t.T/Echo": (request, answer) => answer.respond(request), "/t.T/Hang": () => undefined };
const server = await listen({ host: "127.0.0.1", port: 0 }, { handlers });
const client = connect(server.address);
await call(client, "/t.T/Echo", { deadline: Date.now() + 3_600_000 });
const hanging = call(client, "/t.T/Hang", { deadline: Date.now() + 3_600_000 });
await call(client, "/t.T/Echo");
client.close();
await hanging;
await server.close();
process.stdout.write("closed");`;
  expect(await runs(body)).toEqual([0, "closed"]);
});

test("a process ends by itself though its client still tries to reach a server, if no call waits for it", async () => {
  const port = await freePort();
  const body = `${CALL}
const client = connect({ host: "127.0.0.1", port: ${port} });
process.stdout.write(String((await call(client, "/t.T/Echo")).code));`;
  expect(await runs(body)).toEqual([0, String(Status.UNAVAILABLE)]);
});

test("a process stays while a call waits for its server, and no longer", async () => {
  const port = await freePort();
  const body = `${CALL}
const client = connect({ host: "127.0.0.1", port: ${port} });
process.stdout.write(String((await call(client, "/t.T/Echo", { waitForReady: true, deadline: Date.now() + 1_000 })).code));`;
  expect(await runs(body)).toEqual([0, String(Status.DEADLINE_EXCEEDED)]);
});
