import { randomUUID } from "node:crypto";
import { expect, test, vi } from "vitest";
import { Recorder } from "../../conformance/recorder.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import type { Start } from "../../pubsub/subscription.ts";
import { definition } from "./index.ts";

const context = { name: "test", appId: "app1", process: "host:1", dataDir: "", clock: systemClock };
const signal = new AbortController().signal;
const open = (metadata: Readonly<Record<string, string>> = {}) => definition.open(definition.options.parse(metadata), context);

const publish = (pubsub: PubSub, data: string) =>
  new Promise<PubSubError | undefined>((done) => {
    pubsub.publish([{ topic: "t", data: Buffer.from(data), attributes: {}, done }], signal);
  });

async function read(pubsub: PubSub, start: Start = "earliest") {
  const sink = new Recorder();
  const subscription = await pubsub.subscribe({ topic: "t", group: "g", start, order: "none", options: {} }, sink);
  subscription.window(10, 1_000);
  return sink;
}

test("what does not fit is refused, until something was acknowledged", async () => {
  const pubsub = open({ maxBytes: "10B" });
  expect(await publish(pubsub, "12345678")).toBeUndefined();
  expect(await publish(pubsub, "123")).toMatchObject({ code: "resource_exhausted", outcome: "rejected" });
  const sink = await read(pubsub);
  (await sink.one()).ack();
  expect(await publish(pubsub, "123")).toBeUndefined();
});

test("components share messages when they name the same broker, and only then", async () => {
  const broker = randomUUID();
  await publish(open({ broker }), "a");
  const topics = (pubsub: PubSub) => pubsub.admin?.topics?.("*");
  expect(await topics(open({ broker }))).toEqual(["t"]);
  expect(await topics(open())).toEqual([]);
});

test("a position of another broker is refused", async () => {
  await expect(read(open(), { position: "1526919030474-0" })).rejects.toMatchObject({ code: "invalid_argument", permanent: true });
});

test("a group that is moved on skips what it had given back", async () => {
  const pubsub = open();
  const sink = await read(pubsub);
  await publish(pubsub, "skipped");
  (await sink.one()).retry?.(60_000, 1);
  await pubsub.admin?.seek?.("t", "g", "latest");
  expect(await pubsub.admin?.browse?.("t", undefined, 10)).toEqual([]);
});

test("a group that is deleted takes nothing from a later one of its name", async () => {
  vi.useFakeTimers();
  try {
    const pubsub = open();
    const request = { topic: "t", group: "g", start: "earliest", order: "none", options: {}, expiresAfterMs: 1_000 } as const;
    await pubsub.subscribe(request, new Recorder());
    await pubsub.admin?.deleteGroup?.("t", "g");
    const sink = new Recorder();
    const again = await pubsub.subscribe(request, sink);
    await publish(pubsub, "a");
    await vi.advanceTimersByTimeAsync(5_000);
    again.window(10, 1_000);
    expect(Buffer.from((await sink.one()).data).toString()).toBe("a");
  } finally {
    vi.useRealTimers();
  }
});

test("a lane of 200,000 messages has a backlog", async () => {
  const pubsub = open({ maxBytes: "1GB" });
  const sink = new Recorder();
  const subscription = await pubsub.subscribe({ topic: "t", group: "g", start: "earliest", order: "topic", options: {} }, sink);
  subscription.window(1, 1_000);
  const all = Array.from({ length: 200_000 }, () => ({ topic: "t", data: Buffer.from("x"), attributes: {}, done: () => undefined }));
  pubsub.publish(all, signal);
  await sink.one();
  expect((await subscription.backlog?.(signal))?.messages).toBe(200_000);
});

test("it says that nothing outlives the process", async () => {
  expect(await open().inspect(signal)).toMatchObject([{ level: "warn", id: "in-memory.volatile" }]);
});
