import { expect, test } from "vitest";
import { wrap } from "../cloudevents/wrap.ts";
import { POLICY } from "../conformance/engine/policy.ts";
import type { Delivery } from "../pubsub/delivery.ts";
import { PubSubError } from "../pubsub/error.ts";
import type { Outgoing } from "../pubsub/outgoing.ts";
import { consume } from "./consume.ts";
import { DEAD_LETTER } from "./dead-letter.ts";
import { type Lending, setUp } from "./reader.fixture.ts";
import type { Message } from "./waiting.ts";

const TWICE = { retry: { ...POLICY.retry, maxFailures: 2 } };

/** A dead-letter topic that the test answers for. */
function withDeadLetters(policy: Parameters<typeof setUp>[0] = TWICE, maxBytes = 1e6, order: "none" | "key" = "none") {
  const written: { readonly message: Message; readonly done: (error?: PubSubError) => void }[] = [];
  const target = {
    topic: "dead",
    maxBytes,
    publish: (message: Message, done: (error?: PubSubError) => void) => void written.push({ message, done }),
  };
  return { ...setUp(policy, { deadLetters: target, order }), written };
}

function failTwice(t: ReturnType<typeof withDeadLetters>, name: string, more: Lending = {}): void {
  t.lend(name, more);
  t.answer(name, "failed", "no stock", "INTERNAL");
  t.clock.advance(1_000);
  t.answer(name, "failed", "no stock", "INTERNAL");
}

test("what failed too often is written with its reasons, and acked when that stands", () => {
  const t = withDeadLetters();
  failTwice(t, "7-0", { key: "k" });
  expect(t.written.map(({ message }) => message)).toEqual([
    {
      topic: "dead",
      key: "k",
      dedupId: "dl:g:t:7-0",
      data: expect.any(Uint8Array),
      attributes: {
        mykey: "v",
        [DEAD_LETTER.id]: "dl:g:t:7-0",
        [DEAD_LETTER.reason]: "no stock",
        [DEAD_LETTER.failures]: "2",
        [DEAD_LETTER.first]: "1970-01-01T00:00:00.000Z",
        [DEAD_LETTER.last]: "1970-01-01T00:00:01.000Z",
        [DEAD_LETTER.topic]: "t",
        [DEAD_LETTER.position]: "7-0",
        [DEAD_LETTER.group]: "g",
      },
    },
  ]);
  expect(t.log).toEqual(["keep 1 7-0", "keep 2 7-0"]);
  t.written[0]?.done();
  expect([t.log.at(-1), t.reader.counts.deadLettered, t.reader.counts.acked]).toEqual(["ack 7-0", 1, 1]);
});

test("without a dead-letter topic it is tried for ever", () => {
  const t = setUp(TWICE);
  t.lend("a");
  for (let failures = 1; failures <= 20; failures++) {
    t.answer("a", "failed");
    t.clock.advance(60_000);
  }
  expect(t.log).toEqual(Array.from({ length: 20 }, (_, index) => `keep ${index + 1} a`));
});

test("what the app drops is a dead letter, too", () => {
  const t = withDeadLetters();
  t.lend("a");
  t.answer("a", "drop");
  expect([t.written[0]?.message.attributes[DEAD_LETTER.reason], t.log]).toEqual(["the app answered DROP", []]);
  t.written[0]?.done();
  expect(t.log).toEqual(["ack a"]);
});

test("a status that is pointless to try again goes there at once", () => {
  const t = withDeadLetters({ retry: { ...POLICY.retry, permanent: ["INVALID_ARGUMENT"] } });
  t.lend("a");
  t.answer("a", "failed", "no such thing", "INVALID_ARGUMENT");
  t.lend("b");
  t.answer("b", "failed", "busy", "UNAVAILABLE");
  expect(t.written.map(({ message }) => message.attributes[DEAD_LETTER.reason])).toEqual(["no such thing"]);
});

test("a write that fails is tried again with the lease kept, and the subscription says so", () => {
  const t = withDeadLetters();
  failTwice(t, "a");
  t.written[0]?.done(new PubSubError("unavailable", "broker away"));
  expect([t.reader.degradedBecause, t.reader.pending]).toEqual(["a dead letter cannot be written to dead: broker away", 1]);
  t.clock.advance(1_000);
  expect([t.written.length, t.ids()]).toEqual([2, "aa"]);
  t.written[1]?.done();
  expect([t.log.at(-1), t.reader.degradedBecause]).toEqual(["ack a", undefined]);
});

test("what failed too often before this sidecar had it is written without a call", () => {
  const t = withDeadLetters();
  t.lend("a", { failures: 2 });
  expect([t.ids(), t.written.length]).toEqual(["", 1]);
});

test("a broker that can moves it in one step", () => {
  const copies: Outgoing[] = [];
  const t = withDeadLetters();
  failTwice(t, "a", { move: (copy) => copies.push(copy) > 0 });
  expect([copies[0]?.topic, copies[0]?.dedupId, t.written]).toEqual(["dead", "dl:g:t:a", []]);
  copies[0]?.done(undefined, "8-0");
  expect([t.log.at(-1), t.reader.counts.acked, t.reader.pending]).toEqual(["keep 2 a", 1, 0]);
});

test("a lease that is lost meanwhile ends it: whoever has the message decides", () => {
  const t = withDeadLetters();
  const delivery = t.lend("a", { failures: 2 });
  t.reader.lost([delivery], new PubSubError("unavailable", "gone"));
  t.written[0]?.done();
  expect([t.log, t.reader.counts.deadLettered]).toEqual([[], 0]);
});

test.each(["before it is known that it cannot be written", "between two tries"])("what is lost %s is no trouble any more", (when) => {
  const t = withDeadLetters();
  const delivery = t.lend("a", { failures: 2 });
  const fails = () => t.written[0]?.done(new PubSubError("unavailable", "away"));
  const loses = () => t.reader.lost([delivery], new PubSubError("unavailable", "gone"));
  if (when === "between two tries") {
    fails();
    expect(t.reader.degradedBecause).toBe("a dead letter cannot be written to dead: away");
    loses();
  } else {
    loses();
    fails();
  }
  expect([t.reader.degradedBecause, t.clock.timers]).toEqual([undefined, 0]);
});

test("a message without room for its reasons goes without them", () => {
  const t = withDeadLetters(TWICE, 500);
  t.lend("a", { data: Buffer.alloc(250), failures: 2 });
  const names = Object.keys(t.written[0]?.message.attributes ?? {});
  expect(names).toEqual(["mykey", DEAD_LETTER.id, DEAD_LETTER.topic, DEAD_LETTER.group, DEAD_LETTER.position]);
});

test("a stop waits for a dead letter on its way, and gives back one that waits for another try", async () => {
  const t = withDeadLetters();
  for (const name of ["a", "b"]) t.lend(name, { failures: 2 });
  t.written[1]?.done(new PubSubError("unavailable", "broker away"));
  const drained = t.reader.drain(new AbortController().signal);
  expect(t.log).toEqual(["release b"]);
  t.written[0]?.done();
  await drained;
  expect(t.log).toEqual(["release b", "ack a"]);
});

test("the next of its key waits until the dead letter stands", () => {
  const t = withDeadLetters(TWICE, 1e6, "key");
  t.lend("a", { key: "k", failures: 2 });
  t.lend("b", { key: "k" });
  expect(t.ids()).toBe("");
  t.written[0]?.done();
  expect(t.ids()).toBe("b");
});

test("an envelope that is handed over as it is expires, too", () => {
  const data = wrap({ id: "1", topic: "t", pubsub: "p", contentType: "", data: Buffer.from("x"), expiresAt: 5 });
  const delivery = { topic: "t", position: "1", data, attributes: { ttlInSeconds: "1" } } as unknown as Delivery;
  const event = consume(delivery, "p", true);
  expect([event.expiresAt, event.raw, Buffer.compare(event.data, data)]).toEqual([5, true, 0]);
});

test("a dead letter does not expire: it is there to be looked at", () => {
  const data = wrap({ id: "1", topic: "t", pubsub: "p", contentType: "", data: Buffer.from("x"), expiresAt: 5 });
  const delivery = { topic: "dead", data, ack: () => true, release: () => true };
  expect(consume({ ...delivery, attributes: {} }, "p", false).expiresAt).toBe(5);
  expect(consume({ ...delivery, attributes: { [DEAD_LETTER.id]: "dl:g:t:1" } }, "p", false).expiresAt).toBeUndefined();
});
