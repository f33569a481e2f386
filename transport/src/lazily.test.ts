import { afterEach, expect, test } from "vitest";
import { lazily, type ServerStream, Status, streaming } from "./index.ts";
import { Bed, Conversation, failure } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

const PATH = "/t.Test/Echo";
const echo = streaming((call: ServerStream) => ({
  message(message) {
    if (message.length === 0) throw new Error("an empty message");
    call.send(message);
  },
  end: () => call.end(),
  closing: () => call.end(),
}));

test("what comes before the handler is loaded is handled in its order, and what comes later as well", async () => {
  const loading = Promise.withResolvers<typeof echo>();
  let loads = 0;
  const load = () => {
    loads += 1;
    return loading.promise;
  };
  const client = bed.client((await bed.serve({ [PATH]: lazily(load) })).address);
  const talks = [new Conversation(client, PATH), new Conversation(client, PATH)];
  for (const { stream } of talks) for (const byte of [1, 2, 3]) stream.send(Uint8Array.of(byte));
  await expect.poll(() => loads).toBe(2);
  loading.resolve(echo);
  for (const { stream } of talks) {
    stream.send(Uint8Array.of(4));
    stream.end();
  }
  const later = new Conversation(client, PATH);
  later.stream.send(Uint8Array.of(5));
  later.stream.end();
  for (const talk of [...talks, later]) await talk.end;
  const bytes = [...talks, later].map(({ messages }) => messages.map(([byte]) => byte));
  expect(bytes).toEqual([[1, 2, 3, 4], [1, 2, 3, 4], [5]]);
  expect(loads).toBe(2);
});

test("what cannot be loaded is UNAVAILABLE, and the next call tries again", async () => {
  let fails = true;
  const load = () => (fails ? Promise.reject(new Error("it is gone")) : Promise.resolve(echo));
  const client = bed.client((await bed.serve({ [PATH]: lazily(load) })).address);
  const first = await failure(new Conversation(client, PATH).end);
  expect([first.code, first.details]).toEqual([Status.UNAVAILABLE, expect.stringContaining("it is gone")]);
  fails = false;
  const second = new Conversation(client, PATH);
  second.stream.send(Uint8Array.of(1));
  second.stream.end();
  await second.end;
  expect(second.messages.length).toBe(1);
});

test("a server that closes tells a handler that is not loaded yet", async () => {
  const loading = Promise.withResolvers<typeof echo>();
  const asked = Promise.withResolvers<void>();
  const load = () => {
    asked.resolve();
    return loading.promise;
  };
  const server = await bed.serve({ [PATH]: lazily(load) });
  const talk = new Conversation(bed.client(server.address), PATH);
  talk.stream.send(Uint8Array.of(7));
  await asked.promise;
  const closing = server.close();
  loading.resolve(echo);
  await talk.end;
  await closing;
});
