import { EventEmitter, once } from "node:events";
import { expect, test } from "vitest";
import { Recorder } from "../../conformance/recorder.ts";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { Reader } from "./consume.ts";
import { Embedded } from "./index.ts";
import { Link, type Thread } from "./link.ts";
import { pack } from "./packing.ts";
import type { LendFrame, Reply, Request } from "./protocol.ts";
import { Publish } from "./publish.ts";

/** The other thread, in the hands of the test. */
class FakeThread extends EventEmitter implements Thread {
  readonly requests: Request[] = [];

  postMessage(request: Request): void {
    this.requests.push(request);
    this.emit("request");
  }

  terminate(): Promise<void> {
    return Promise.resolve();
  }

  reply(change: Partial<Reply> = {}): void {
    const nothing = { published: undefined, lent: [], results: [], ended: [], broken: undefined, wakeIn: undefined };
    this.emit("message", { ...nothing, ...change } satisfies Reply);
  }
}

function linked() {
  const threads: FakeThread[] = [];
  const clock = new SteppedClock(0);
  const settings = { file: "test.db", retentionMs: 0, retentionBytes: 0, maxBytes: undefined };
  const link = new Link(settings, clock, () => {
    threads.push(new FakeThread());
    return threads.at(-1) as FakeThread;
  });
  const thread = () => threads.at(-1) as FakeThread;
  return { link, clock, threads, thread };
}

function frame(...texts: readonly string[]): LendFrame {
  const parts = texts.map((text) => Buffer.from(text));
  const each = <T>(value: T) => texts.map(() => value);
  return {
    reader: 1,
    positions: texts.map((_, index) => index + 1),
    publishedAt: each(0),
    notBefore: [],
    failures: each(0),
    keys: each(null),
    attributes: each(null),
    sizes: parts.map(({ length }) => length),
    data: pack(parts, false),
  };
}

const signal = new AbortController().signal;
/** Everything that was asked for in this turn has been sent after it. */
const sent = () => Promise.resolve();

function publish(link: Link, given?: AbortSignal) {
  const { promise, resolve } = Promise.withResolvers<PubSubError | undefined>();
  link.publish(new Publish([{ topic: "t", data: new Uint8Array(1), attributes: {}, done: resolve }], given));
  return promise;
}

test("there is one request under way, and what comes meanwhile goes out together in the next", async () => {
  const { link, thread } = linked();
  void publish(link);
  await sent();
  void publish(link);
  void publish(link);
  await sent();
  expect(thread().requests.length).toBe(1);
  thread().reply({ published: [1] });
  await sent();
  expect(thread().requests.map((request) => request.publish?.topic.length)).toEqual([1, 2]);
});

test("a publish that is given up before it went out is rejected, and one that went out is unknown", async () => {
  const { link, thread } = linked();
  const [first, second] = [new AbortController(), new AbortController()];
  const underWay = publish(link, first.signal);
  await sent();
  const waiting = publish(link, second.signal);
  first.abort();
  second.abort();
  expect([(await underWay)?.outcome, (await waiting)?.outcome]).toEqual(["unknown", "rejected"]);
  thread().reply({ published: [1] });
  await sent();
  expect(
    thread()
      .requests.slice(1)
      .map((request) => request.publish),
  ).toEqual([undefined]);
});

test("when the thread dies, what was under way fails, readers end, and what waited goes to a new thread", async () => {
  const { link, threads, thread } = linked();
  const sink = new Recorder();
  const reader = new Reader(link, 1, "t", "none", sink, () => undefined);
  reader.window(10, 1_000);
  await sent();
  thread().reply({ lent: [frame("a")] });
  const underWay = publish(link);
  await sent();
  const waiting = link.ask("ping", {});
  thread().emit("error", new Error("out of memory"));
  expect(await underWay).toMatchObject({ code: "internal", outcome: "unknown" });
  expect(await reader.closed).toMatchObject({ code: "internal" });
  expect(sink.lostOnes.length).toBe(1);
  await expect(reader.flush(signal)).rejects.toMatchObject({ code: "internal" });
  expect(threads.length).toBe(2);
  expect(thread().requests[0]?.calls).toEqual([{ kind: "ping" }]);
  thread().reply({ results: [{ value: undefined }] });
  await waiting;
});

test("a reader that closes out of time says goodbye all the same, since what it holds would stay with nobody", async () => {
  const { link, thread } = linked();
  const reader = new Reader(link, 1, "t", "none", new Recorder(), () => undefined);
  await expect(reader.close(AbortSignal.abort())).rejects.toMatchObject({ code: "deadline_exceeded" });
  expect(thread().requests.flatMap(({ calls }) => calls)).toEqual([{ kind: "unsubscribe", reader: 1 }]);
});

test("what was on its way from a reader of a thread that died cannot be taken for another's", async () => {
  const { link, thread } = linked();
  const pubsub = new Embedded(link);
  const request = { topic: "t", group: "g", start: "earliest", order: "none", options: {} } as const;
  const subscribe = async () => {
    const subscribed = pubsub.subscribe(request, new Recorder());
    await sent();
    thread().reply({ results: [{ value: undefined }] });
    return subscribed;
  };
  const first = await subscribe();
  void link.ask("ping", {}).catch(() => undefined);
  await sent();
  const again = pubsub.subscribe(request, new Recorder());
  const closing = first.close(signal);
  thread().emit("error", new Error("out of memory"));
  await sent();
  const calls = thread().requests.flatMap((one) => one.calls);
  expect(calls).toMatchObject([
    { kind: "subscribe", reader: 2 },
    { kind: "unsubscribe", reader: 1 },
  ]);
  thread().reply({ results: [{ value: undefined }, { value: undefined }] });
  await Promise.all([again, closing]);
});

test("ending it fails what was never answered", async () => {
  const { link } = linked();
  const underWay = publish(link);
  const asked = link.ask("ping", {});
  await sent();
  await Promise.all([expect(asked).rejects.toMatchObject({ code: "unavailable" }), link.end()]);
  expect((await underWay)?.outcome).toBe("unknown");
});

test("after its end nothing is asked of a thread any more: what waited and what comes fails", async () => {
  const { link, threads } = linked();
  void publish(link);
  await sent();
  const waited = publish(link);
  const asked = link.ask("ping", {}, signal);
  const ended = link.end();
  expect(await waited).toMatchObject({ code: "unavailable", outcome: "rejected" });
  await expect(asked).rejects.toMatchObject({ code: "unavailable" });
  await ended;
  expect(await publish(link)).toMatchObject({ code: "unavailable", outcome: "rejected", permanent: true });
  await expect(link.ask("backlog", { reader: 1 }, signal)).rejects.toMatchObject({ code: "unavailable" });
  link.settle(1).acks.push(1);
  await sent();
  expect([threads.length, threads[0]?.requests.length]).toEqual([1, 1]);
});

test("what was on its way when the window closed is not lent, and goes back", async () => {
  const { link, thread } = linked();
  const sink = new Recorder();
  const reader = new Reader(link, 1, "t", "none", sink, () => undefined);
  reader.window(10, 1_000);
  await sent();
  reader.window(1, 1_000);
  thread().reply({ lent: [frame("a", "b", "c")] });
  expect(sink.seen.map(({ position }) => position)).toEqual(["1"]);
  await sent();
  expect(thread().requests[1]).toMatchObject({ windows: [{ messages: 1 }], settlements: [{ releases: [2, 3] }] });
});

test("a reader that leaves is given nothing more", async () => {
  const { link, thread } = linked();
  const sink = new Recorder();
  const reader = new Reader(link, 1, "t", "none", sink, () => undefined);
  reader.window(10, 1_000);
  await sent();
  const closing = reader.close(signal);
  thread().reply({ lent: [frame("a")] });
  await sent();
  thread().reply({ results: [{ value: undefined }] });
  await closing;
  expect([sink.seen, await reader.closed]).toEqual([[], undefined]);
});

test("a move that fails leaves the message lent, to be settled in another way", async () => {
  const { link, thread } = linked();
  const sink = new Recorder();
  const reader = new Reader(link, 1, "t", "none", sink, () => undefined);
  reader.window(10, 1_000);
  await sent();
  thread().reply({ lent: [frame("a")] });
  const delivery = await sink.one();
  const { promise, resolve } = Promise.withResolvers<PubSubError | undefined>();
  expect(delivery.move?.({ topic: "dead", data: delivery.data, attributes: {}, done: resolve })).toBe(true);
  expect(delivery.ack()).toBe(false);
  await sent();
  thread().reply({ published: { code: "resource_exhausted", message: "full", outcome: "rejected", permanent: false } });
  expect((await promise)?.code).toBe("resource_exhausted");
  expect(delivery.ack()).toBe(true);
});

test("the store is asked again when it wanted to be", async () => {
  const { link, clock, thread } = linked();
  void link.ask("ping", {});
  await sent();
  thread().reply({ results: [{ value: undefined }], wakeIn: 50 });
  const asked = once(thread(), "request");
  clock.advance(50);
  await asked;
  expect(thread().requests[1]).toMatchObject({ elapsed: 50, calls: [] });
});
