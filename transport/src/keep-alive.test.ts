import { afterEach, expect, test } from "vitest";
import { LOST, nth, proxy } from "./client.fixture.ts";
import type { ConnectionState } from "./index.ts";
import { answerOk, Bed, call, failure, outcome, tcp } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

test("a server's PING is answered", async () => {
  const server = await bed.http2((stream) => answerOk(stream, new Uint8Array()));
  const client = bed.client(server.address);
  await call(client, "/t.T/Any", "");
  const payload = Buffer.from("12345678");
  const answered = await new Promise<Buffer>((resolve, reject) => {
    server.sessions[0]?.ping(payload, (error, _, back) => (error ? reject(error) : resolve(back)));
  });
  expect([...answered]).toEqual([...payload]);
});

test("a server that has stopped answering is left, and its calls fail", async () => {
  const arrived = Promise.withResolvers<void>();
  const server = await bed.serve({ "/t.T/Hang": () => arrived.resolve() });
  const between = await proxy(bed, tcp(server));
  const client = bed.client(between.address, { keepaliveMs: 30, keepaliveTimeoutMs: 60 });
  const hanging = failure(call(client, "/t.T/Hang", ""));
  await arrived.promise;
  between.pause();
  const error = await hanging;
  expect([error.code, error.from]).toEqual(LOST);
  expect(error.details).toContain("PING");
});

test("a client that has stopped answering is left by the server, and its call cancelled", async () => {
  const cancelled = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const server = await bed.serve(
    {
      "/t.T/Hang": (_, answer) => {
        answer.onCancel(cancelled.resolve);
        arrived.resolve();
      },
    },
    { keepaliveMs: 30, keepaliveTimeoutMs: 60 },
  );
  const between = await proxy(bed, tcp(server));
  const lost = outcome(call(bed.client(between.address), "/t.T/Hang", ""));
  await arrived.promise;
  between.pause();
  await cancelled.promise;
  between.cut();
  expect(await lost).toEqual(LOST);
});

test("a quiet server that answers each PING is kept, also when it is pinged more often than it is waited for", async () => {
  const KEEPALIVE_MS = 10;
  const TIMEOUT_MS = 250;
  // Far more than one wait for an answer.
  const pings = nth(Math.ceil((3 * TIMEOUT_MS) / KEEPALIVE_MS / 2));
  const server = await bed.http2((stream) => answerOk(stream, new Uint8Array()));
  const client = bed.client(server.address, { keepaliveMs: KEEPALIVE_MS, keepaliveTimeoutMs: TIMEOUT_MS });
  await call(client, "/t.T/Any", "");
  server.sessions[0]?.on("ping", pings.hit);
  const states: ConnectionState[] = [];
  client.onState((state) => states.push(state));
  await pings.reached;
  expect(states).toEqual([]);
});
