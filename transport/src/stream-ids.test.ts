import { once } from "node:events";
import type { ServerHttp2Session } from "node:http2";
import { afterEach, expect, test } from "vitest";
import { GrpcClient } from "./grpc/grpc-client.ts";
import { MAX_STREAM_ID } from "./http2/protocol.ts";
import type { Address, Client, ConnectionState } from "./index.ts";
import { streaming } from "./index.ts";
import { answerOk, Bed, Conversation, call, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

/** A client each of whose connections has so many ids left. */
function nearTheEnd(address: Address, ids: number): Client {
  const client = new GrpcClient(address, {}, MAX_STREAM_ID - 2 * (ids - 1));
  bed.after(() => client.close());
  return client;
}

test("when the ids of a connection are used up, the calls go on with another, and none fails", async () => {
  const ids: [session: number, id: number | undefined][] = [];
  const server = await bed.http2((stream) => {
    ids.push([server.sessions.indexOf(stream.session as ServerHttp2Session), stream.id]);
    answerOk(stream, Buffer.from(String(ids.length)));
  });
  const client = nearTheEnd(server.address, 3);
  const states: ConnectionState[] = [];
  client.onState((state) => states.push(state));
  // Together, so that some wait while the connection is replaced; then one after the other.
  await Promise.all(Array.from({ length: 4 }, () => call(client, "/t.T/Any", "")));
  for (let index = 0; index < 4; index++) await call(client, "/t.T/Any", "");
  const last = [MAX_STREAM_ID - 4, MAX_STREAM_ID - 2, MAX_STREAM_ID];
  expect(ids).toEqual([0, 1, 2].flatMap((session) => last.map((id) => [session, id])).slice(0, 8));
  expect(states).toEqual(["connecting", "ready", "idle", "connecting", "ready", "idle", "connecting", "ready"]);
  // A connection that is used up ends with its last call.
  for (const session of server.sessions.slice(0, 2)) if (!session.destroyed) await once(session, "close");
  expect(server.sessions.map(({ destroyed }) => destroyed)).toEqual([true, true, false]);
});

test("what runs on the connection that is replaced runs on", async () => {
  const server = await bed.serve({
    "/t.T/Echo": (request, answer) => answer.respond(request),
    "/t.T/Each": streaming((stream) => ({ message: (message) => stream.send(message), end: () => stream.end() })),
  });
  const client = nearTheEnd(server.address, 2);
  const first = new Conversation(client, "/t.T/Each");
  first.stream.send(Buffer.from("a"));
  expect(text(await first.next())).toBe("a");
  // It gets the last id.
  const last = new Conversation(client, "/t.T/Each");
  last.stream.send(Buffer.from("b"));
  expect(text(await last.next())).toBe("b");
  expect(text(await call(client, "/t.T/Echo", "on the next connection"))).toBe("on the next connection");
  for (const talk of [first, last]) {
    talk.stream.send(Buffer.from("still here"));
    expect(text(await talk.next())).toBe("still here");
    talk.stream.end();
    await talk.end;
    expect(talk.wrongs).toEqual([]);
  }
});
