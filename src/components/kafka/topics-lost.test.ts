import { readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { onKafka } from "../../../test/brokers/on-kafka.ts";
import { textOf } from "../../conformance/bench.ts";
import { openKafka } from "./bench.fixture.ts";
import { clusterAt } from "./cluster.fixture.ts";
import { Cluster } from "./cluster.ts";
import type { Api } from "./wire/api.ts";

onKafka("kafka: topics, messages and logs that are lost", ({ kafka, on }) => {
  /** A log that loses the third of its messages, when the first and the third are settled and the second is not. */
  const logCutOff = async (when: "while it is read" | "while its reader is paused" | "while nobody reads it") => {
    // A reader that is paused, and has something, keeps its partition for a session, and asks for nothing.
    const b = on({ partitions: 1, ...(when === "while its reader is paused" ? { sessionTimeout: "60s" } : {}) });
    const pubsub = await b.open();
    const reading = await b.read(pubsub);
    for (const data of ["1", "2", "3"]) await b.publish(pubsub, data);
    const [first, second, third] = await reading.sink.next(3);
    first?.ack();
    third?.ack();
    await b.flush(reading);
    if (when === "while nobody reads it") await b.leave(reading);
    if (when === "while its reader is paused") reading.subscription.window(0, 0);
    await kafka().kill();
    cutOffAfter(join(kafka().directory, "data", `${b.topic}-0`), 2);
    await kafka().restart();
    return { b, pubsub, reading, second };
  };

  test("readers whose topics are deleted ask for them now and then, and not without end", async () => {
    const b = on();
    const pubsub = await b.open();
    const topics = [`${b.topic}-1`, `${b.topic}-2`, `${b.topic}-3`];
    for (const topic of topics) await pubsub.ensure(topic, [b.request({ topic })], AbortSignal.timeout(10_000));
    const strict = await openKafka(kafka().port, { createTopics: false, clientConnectionTopicMetadataRefreshInterval: "200ms" });
    const told = topics.map(() => 0);
    for (const [index, topic] of topics.entries()) {
      const recorder = b.recorder();
      recorder.interrupted = (error) => {
        if (error?.code === "not_found") told[index] = (told[index] ?? 0) + 1;
      };
      await b.read(strict, { topic }, recorder);
    }
    const asked = vi.spyOn(Cluster.prototype, "ask");
    const cluster = clusterAt(kafka().port);
    try {
      await cluster.ask(deleteTopics, topics);
      await expect.poll(() => Math.min(...told), { timeout: 20_000 }).toBeGreaterThan(0);
      asked.mockClear();
      // Time itself is what this is about.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      expect(asked.mock.calls.length).toBeLessThan(100);
    } finally {
      asked.mockRestore();
      cluster.close();
      await strict.close(AbortSignal.timeout(5_000));
    }
  });

  test("a topic that was gone while its group shared the partitions is read when it is back", async () => {
    const b = on();
    const pubsub = await b.open();
    const other = `${b.topic}-other`;
    await pubsub.ensure(other, [b.request({ topic: other })], b.patience);
    await b.ensure(pubsub);
    const strict = await openKafka(kafka().port, { createTopics: false, clientConnectionTopicMetadataRefreshInterval: "200ms" });
    const gone = Promise.withResolvers<void>();
    const back = Promise.withResolvers<void>();
    const recorder = b.recorder();
    recorder.interrupted = (error) => (error?.code === "not_found" ? gone.resolve() : error === undefined && back.resolve());
    const cluster = clusterAt(kafka().port);
    try {
      const reading = await b.read(strict, {}, recorder);
      await cluster.ask(deleteTopics, [b.topic]);
      await gone.promise;
      const joined = await b.read(strict, { topic: other });
      const stored = Promise.withResolvers<void>();
      const done = (error?: Error) => (error ? stored.reject(error) : stored.resolve());
      pubsub.publish([{ topic: other, data: Buffer.from("shared"), attributes: {}, done }], b.patience);
      await stored.promise;
      await joined.sink.one();
      const maker = await b.open();
      await b.ensure(maker);
      await b.publish(maker, "a");
      expect(textOf(await reading.sink.one())).toBe("a");
      await back.promise;
    } finally {
      cluster.close();
      await strict.close(AbortSignal.timeout(5_000));
    }
  });

  test("messages that were deleted before they were read are told of, and reading goes on behind them", async () => {
    const b = on({ partitions: 1 });
    const pubsub = await b.open();
    const reading = await b.read(pubsub, { messages: 0, bytes: 0 });
    const told: string[] = [];
    reading.sink.interrupted = (error) => void (error && told.push(error.message));
    await b.publish(pubsub, "1", "2", "3", "4", "5");
    const cluster = clusterAt(kafka().port);
    expect(await cluster.ask(deleteRecords, { topic: b.topic, partition: 0, before: 3 })).toBe(0);
    cluster.close();
    reading.subscription.window(10, 1_000_000);
    expect((await reading.sink.next(2)).map(textOf)).toEqual(["4", "5"]);
    expect(told).toEqual([`3 messages of ${b.topic} were deleted before they were read`]);
  });

  test("of a log that was cut off, what is left and was not settled comes again, and nothing new passes for settled", async () => {
    const { b, pubsub, reading } = await logCutOff("while it is read");
    expect(textOf(await reading.sink.one())).toBe("2");
    await expect.poll(async () => (await b.tryToPublish(pubsub, ["new"]))[0]?.error, { timeout: 20_000 }).toBeUndefined();
    expect(textOf(await reading.sink.one())).toBe("new");
  });

  test("a log that was cut off while nobody read it is noticed by who takes it over", async () => {
    const { b, pubsub } = await logCutOff("while nobody reads it");
    await expect.poll(async () => (await b.tryToPublish(pubsub, ["new"]))[0]?.error, { timeout: 20_000 }).toBeUndefined();
    await b.publish(pubsub, "newer");
    const after = await b.read(pubsub);
    expect((await after.sink.next(3)).map(textOf)).toEqual(["2", "new", "newer"]);
  });

  test("a log that was cut off, and has grown again before its reader came back, is noticed by who has kept its partition", async () => {
    const { b, pubsub, reading, second } = await logCutOff("while its reader is paused");
    await expect.poll(async () => (await b.tryToPublish(pubsub, ["new"]))[0]?.error, { timeout: 20_000 }).toBeUndefined();
    await b.publish(pubsub, "newer", "newest");
    expect(reading.sink.lostOnes).toEqual([]);
    reading.subscription.window(10, 1_000_000);
    expect((await reading.sink.next(4)).map(textOf)).toEqual(["2", "new", "newer", "newest"]);
    expect(reading.sink.lostOnes).toEqual([second]);
  });

  test("a log that is shorter than what was read of it is read on from its end, or from its beginning", async () => {
    const b = on({ partitions: 1 });
    const pubsub = await b.open();
    const reading = await b.read(pubsub);
    await b.publish(pubsub, "1", "2", "3");
    for (const one of await reading.sink.next(3)) one.ack();
    await b.flush(reading);
    await kafka().kill();
    // As when a replica that has nothing becomes the leader.
    const folder = join(kafka().directory, "data", `${b.topic}-0`);
    for (const file of readdirSync(folder)) if (file !== "partition.metadata") rmSync(join(folder, file));
    await kafka().restart();
    await expect.poll(async () => (await b.tryToPublish(pubsub, ["new"]))[0]?.error, { timeout: 20_000 }).toBeUndefined();
    expect(textOf(await reading.sink.one())).toBe("new");
  });
});

const deleteTopics: Api<readonly string[], readonly number[]> = {
  name: "DeleteTopics",
  key: 20,
  version: 1,
  write: (writer, topics) => writer.array(topics, (one) => writer.string(one)).int32(10_000),
  read(reader) {
    reader.int32();
    return reader.array(() => {
      reader.string();
      return reader.int16();
    });
  },
};

const deleteRecords: Api<{ readonly topic: string; readonly partition: number; readonly before: number }, number> = {
  name: "DeleteRecords",
  key: 21,
  version: 1,
  write: (writer, { topic, partition, before }) =>
    writer.array([topic], (one) => writer.string(one).array([partition], (index) => writer.int32(index).int64(before))).int32(10_000),
  read(reader) {
    reader.int32();
    const topics = reader.array(() => {
      reader.string();
      return reader.array(() => {
        reader.int32();
        reader.int64();
        return reader.int16();
      });
    });
    return topics.flat()[0] ?? 0;
  },
};

/** Leaves the first `batches` of a partition's log, as a disk does that had not got the others yet. */
function cutOffAfter(folder: string, batches: number): void {
  const log = readdirSync(folder).find((file) => file.endsWith(".log")) as string;
  const bytes = readFileSync(join(folder, log));
  let end = 0;
  for (let batch = 0; batch < batches; batch++) end += 12 + bytes.readInt32BE(end + 8);
  truncateSync(join(folder, log), end);
  for (const file of readdirSync(folder)) if (/\.(index|timeindex|snapshot)$/.test(file)) rmSync(join(folder, file));
}
