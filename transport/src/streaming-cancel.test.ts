import { afterEach, expect, test } from "vitest";
import { Status, streaming } from "./index.ts";
import { byHand, echo } from "./streaming.fixture.ts";
import { Bed, Conversation, failure, outcome } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

test("a paused client whose answer is whole can still cancel, or run out of time", async () => {
  const server = await bed.serve({
    "/t.T/Whole": streaming((call) => ({
      message: (message) => {
        call.send(message);
        call.end();
      },
      end: () => undefined,
    })),
    "/t.T/Echo": echo,
  });
  const client = bed.client(server.address);
  const talks = [{}, { deadline: Date.now() + 200 }].map((options) => new Conversation(client, "/t.T/Whole", options));
  for (const talk of talks) {
    talk.stream.pause();
    talk.stream.send(Buffer.from("x"));
  }
  const other = new Conversation(client, "/t.T/Echo");
  other.stream.send(Buffer.from("x"));
  await other.next();
  talks[0]?.stream.cancel();
  expect(await Promise.all(talks.map(async (talk) => (await failure(talk.end)).code))).toEqual([
    Status.CANCELLED,
    Status.DEADLINE_EXCEEDED,
  ]);
  for (const talk of talks) talk.stream.resume();
  expect(talks.flatMap((talk) => [...talk.messages, ...talk.wrongs])).toEqual([]);
});

test("a cancellation in the middle reaches the handler once", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const talk = new Conversation(bed.client(server.address), "/t.T/Hand");
  talk.stream.send(Buffer.from("begin"));
  const call = await hand.opened;
  let cancelled = 0;
  const told = new Promise<void>((resolve) => {
    call.onCancel(() => {
      cancelled += 1;
      resolve();
    });
  });
  call.send(Buffer.from("going on"));
  await talk.next();
  talk.stream.cancel();
  expect(await outcome(talk.end)).toEqual([Status.CANCELLED, "connection"]);
  await told;
  // Told at once, since it has happened.
  let late = 0;
  call.onCancel(() => {
    late += 1;
  });
  expect([cancelled, late]).toEqual([1, 1]);
  expect(call.send(Buffer.from("ignored"))).toBe(true);
  call.end();
  call.fail(Status.INTERNAL, "ignored");
  talk.stream.cancel();
  expect(talk.wrongs).toEqual([]);
});

test("a cancellation reaches a handler whose client is paused and has ended its own side", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const talk = new Conversation(bed.client(server.address), "/t.T/Hand");
  talk.stream.end();
  const call = await hand.opened;
  await hand.ended;
  call.pause();
  const told = new Promise<void>((resolve) => call.onCancel(resolve));
  talk.stream.cancel();
  await told;
});

test("a deadline ends a stream on both sides", async () => {
  const hand = byHand();
  const server = await bed.serve({ "/t.T/Hand": hand.handler });
  const talk = new Conversation(bed.client(server.address), "/t.T/Hand", { deadline: Date.now() + 200 });
  talk.stream.send(Buffer.from("begin"));
  const call = await hand.opened;
  const told = new Promise<void>((resolve) => call.onCancel(resolve));
  expect((await failure(talk.end)).code).toBe(Status.DEADLINE_EXCEEDED);
  await told;
});
