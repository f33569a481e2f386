import { expect, test } from "vitest";
import { onKafka } from "../../../test/brokers/on-kafka.ts";
import { textOf } from "../../conformance/bench.ts";
import type { Delivery } from "../../pubsub/delivery.ts";
import { openKafka, PARTITIONS } from "./bench.fixture.ts";
import { clusterAt } from "./cluster.fixture.ts";
import { partitionOf } from "./partitioner.ts";
import type { Api } from "./wire/api.ts";

onKafka("kafka: what only Kafka does", ({ kafka, on }) => {
  /** So many messages for each of some keys, in their order. */
  const keyed = (keys: number, each: number) =>
    Array.from({ length: keys * each }, (_, index) => ({ data: `${index % keys}:${Math.floor(index / keys)}`, key: `k${index % keys}` }));
  const partitionsOf = (deliveries: readonly Delivery[]) => new Set(deliveries.map(({ position }) => position?.split("-")[0]));

  test("a message that is not settled holds back no other, and after a crash comes again alone", async () => {
    const b = on({ partitions: 1 });
    const dying = await b.open();
    const reading = await b.read(dying, { order: "key" });
    await b.publish(dying, ...keyed(20, 1));
    const [stuck, ...others] = await reading.sink.next(20);
    stuck?.keep?.(4);
    for (const one of others) one.ack();
    await b.flush(reading);
    await b.crash(dying);
    const pubsub = await b.open();
    const next = await b.read(pubsub, { order: "key" });
    await b.publish(pubsub, "last");
    const again = await b.until(next, "last");
    expect(again.map((one) => [textOf(one), one.failures])).toEqual([["0:0", 4]]);
  });

  test("a partition with much to read keeps none of the others of its broker waiting", async () => {
    const b = on({ partitions: 2 });
    const pubsub = await b.open();
    const [busy, quiet] = [0, 1].map(
      (partition) => ["a", "b", "c", "d", "e"].find((key) => partitionOf(key, [0, 0], 0) === partition) ?? "",
    );
    const large = Array.from({ length: 50 }, () => ({ data: "x".repeat(4_000), key: busy ?? "" }));
    for (let batch = 0; batch < 20; batch++) await b.publish(pubsub, ...large);
    await b.publish(pubsub, { data: "quiet", key: quiet ?? "" });
    const reading = await b.read(pubsub, { order: "key" });
    let seen = 0;
    for (let text = ""; text !== "quiet"; seen++) {
      const next = await reading.sink.one();
      text = textOf(next);
      next.ack();
    }
    // A fetch brings a megabyte at most: the first one is of the busy partition alone, the second one begins with the other.
    expect(seen).toBeLessThan(500);
  });

  test("a message that fails for ever lets thousands of others through a window of ten", async () => {
    const b = on({ partitions: 1 });
    const pubsub = await b.open();
    const reading = await b.read(pubsub, { messages: 10 });
    await b.publish(pubsub, "stuck");
    await reading.sink.one();
    for (let round = 0; round < 5; round++) {
      await b.publish(pubsub, ...Array.from({ length: 500 }, () => "other"));
      for (let left = 500; left > 0; left--) (await reading.sink.one()).ack();
    }
    await b.flush(reading);
    expect((await reading.subscription.backlog?.(b.patience))?.messages).toBe(1);
  });

  test("partitions are shared, each key stays in order, and a reader that comes takes over what the other has not begun", async () => {
    const b = on();
    const [a, other] = [await b.open(), await b.open()];
    const sent = keyed(40, 5);
    await b.publish(a, ...sent);
    const first = await b.read(a, { order: "key" });
    const lent = await first.sink.next(sent.length);
    const second = await b.read(other, { order: "key" });
    // What the first reader has it loses, since it does not settle it.
    const taken = await second.sink.next(first.sink.lostOnes.length || 1);
    await expect.poll(() => partitionsOf(second.sink.seen).size, { timeout: 20_000 }).toBe(PARTITIONS / 2);
    expect(partitionsOf(first.sink.lostOnes)).toEqual(partitionsOf(second.sink.seen));
    expect(taken.length).toBeGreaterThan(0);
    for (const one of first.sink.lostOnes) expect(one.ack()).toBe(false);
    const kept = lent.filter((one) => !first.sink.lostOnes.includes(one));
    for (const one of kept) expect(one.ack()).toBe(true);
    for (const reader of [kept, second.sink.seen]) {
      for (let key = 0; key < 40; key++) {
        const texts = reader.filter((one) => one.key === `k${key}`).map(textOf);
        expect(texts).toEqual([...texts].sort());
      }
    }
  });

  test("what is lent of a partition that moves may be settled until the deadline, and the next reader does not see it", async () => {
    const b = on({ rebalanceTimeout: "20s" });
    const [a, other] = [await b.open(), await b.open()];
    const recorder = b.recorder();
    const settled: Delivery[] = [];
    recorder.revoking = async (batch) => {
      // The last moment, as an app would have it whose call ends just then.
      await new Promise((resolve) => setTimeout(resolve, 300));
      for (const one of batch) if (one.ack()) settled.push(one);
    };
    const sent = keyed(40, 1);
    await b.publish(a, ...sent);
    await b.read(a, { order: "key" }, recorder);
    await recorder.next(sent.length);
    const second = await b.read(other, { order: "key" });
    await expect.poll(() => partitionsOf(settled).size, { timeout: 20_000 }).toBe(PARTITIONS / 2);
    await b.publish(a, ...keyed(40, 1).map((one) => ({ ...one, data: "new" })));
    const moved = partitionsOf(settled);
    await expect.poll(() => second.sink.seen.length).toBe(sent.filter(({ key }) => settled.some((one) => one.key === key)).length);
    expect(second.sink.seen.every((one) => textOf(one) === "new" && moved.has(one.position?.split("-")[0]))).toBe(true);
    expect(recorder.lostOnes).toEqual([]);
  });

  test("what is lent stays with its reader while another one joins, for longer than a session", async () => {
    const b = on({ partitions: 2 });
    const slow = await b.read(await b.open());
    const pubsub = await b.open();
    await b.publish(pubsub, { data: "slow", key: "a" });
    const delivery = await slow.sink.one();
    slow.subscription.window(0, 0);
    const other = await b.read(await b.open());
    // Time itself is what this is about: two sessions pass, and nobody is told of anything.
    await new Promise((resolve) => setTimeout(resolve, 2 * 1_500));
    for (const key of ["b", "c", "d", "e", "f"]) await b.publish(pubsub, { data: key, key });
    await other.sink.one();
    expect(other.sink.seen.map(textOf)).not.toContain("slow");
    expect(delivery.ack()).toBe(true);
    await b.flush(slow);
  });

  test("a reader that is paused and holds nothing leaves its partitions to another, and gets some again", async () => {
    const b = on({ partitions: 1 });
    const pubsub = await b.open();
    const first = await b.read(pubsub);
    await b.publish(pubsub, "1", "2");
    const lent = await first.sink.next(2);
    const second = await b.read(await b.open());
    first.subscription.window(0, 0);
    for (const one of [...lent].reverse()) one.release();
    const got = await second.sink.next(2);
    expect(got.map(textOf)).toEqual(["1", "2"]);
    for (const one of got) one.ack();
    first.subscription.window(10, 1_000_000);
    await b.leave(second);
    await b.publish(pubsub, "3");
    expect(textOf(await first.sink.one())).toBe("3");
  });

  test("a group whose readers are at work on another topic begins where it was told", async () => {
    const b = on();
    const pubsub = await b.open();
    await b.read(pubsub, { topic: `${b.topic}-other` });
    await b.publish(pubsub, "before");
    await pubsub.ensure(b.topic, [b.request({ start: "latest" })], b.patience);
    await b.publish(pubsub, "after");
    const reading = await b.read(await b.open());
    expect(textOf(await reading.sink.one())).toBe("after");
  });

  test("a subscription that is added to a group takes nothing from those that read other topics", async () => {
    const b = on();
    const pubsub = await b.open();
    const reading = await b.read(pubsub);
    await b.publish(pubsub, ...keyed(20, 1));
    const lent = await reading.sink.next(20);
    for (let more = 0; more < 3; more++) {
      const added = await b.read(pubsub, { topic: `${b.topic}-${more}` });
      const stored = Promise.withResolvers<void>();
      const done = (error?: Error) => (error ? stored.reject(error) : stored.resolve());
      pubsub.publish([{ topic: `${b.topic}-${more}`, data: Buffer.from("new"), attributes: {}, done }], b.patience);
      await stored.promise;
      expect(textOf(await added.sink.one())).toBe("new");
    }
    expect(reading.sink.lostOnes).toEqual([]);
    for (const one of lent) expect(one.ack()).toBe(true);
    await b.publish(pubsub, "last");
    expect(await b.until(reading, "last")).toEqual([]);
  });

  test("a topic that gets more partitions is read in all of them, from their beginning", async () => {
    const b = on({ partitions: 1, clientConnectionTopicMetadataRefreshInterval: "200ms" });
    const pubsub = await b.open();
    const reading = await b.read(pubsub, { start: "latest" });
    await b.publish(pubsub, "first");
    (await reading.sink.one()).ack();
    const cluster = clusterAt(kafka().port);
    expect(await cluster.ask(createPartitions, { topic: b.topic, count: 3 })).toBe(0);
    cluster.close();
    const sent = keyed(20, 1);
    await expect
      .poll(
        async () => {
          await b.publish(pubsub, ...sent);
          return partitionsOf(reading.sink.seen).size;
        },
        { timeout: 20_000 },
      )
      .toBe(3);
  });

  test("a batch that is larger than the topic takes is sent in pieces, in order, and only what is too large itself fails", async () => {
    const b = on({ partitions: 1 });
    const pubsub = await b.open();
    const reading = await b.read(pubsub);
    const large = Buffer.alloc(3 * 2 ** 20);
    const sent = ["a", { data: large, key: "k" }, { data: large, key: "k" }, { data: large, key: "k" }, "b"];
    await b.publish(pubsub, ...sent);
    expect((await reading.sink.next(5)).map(({ data }) => data.length)).toEqual([1, large.length, large.length, large.length, 1]);
    const results = await b.tryToPublish(pubsub, [{ data: Buffer.alloc(9 * 2 ** 20), key: "k" }, { data: "behind it", key: "k" }, "other"]);
    expect(results.map(({ error }) => [error?.code, error?.permanent])).toEqual([
      ["resource_exhausted", true],
      ["unavailable", false],
      [undefined, undefined],
    ]);
    expect(textOf(await reading.sink.one())).toBe("other");
  });

  test.each(["gzip", "snappy", "lz4", "zstd"])("what is compressed by %s arrives", async (compression) => {
    const b = on({ compression });
    const pubsub = await b.open();
    const reading = await b.read(pubsub);
    await b.publish(pubsub, { data: "x".repeat(10_000), attributes: { mykey: "v" } }, "short");
    const found = await reading.sink.next(2);
    expect(found.map(({ data }) => data.length).sort()).toEqual([10_000, 5].sort());
  });

  test("what the brokers' settings risk is told, and what they take is known", async () => {
    const b = on();
    const pubsub = await b.open();
    const findings = await pubsub.inspect(b.patience);
    expect(findings.map(({ id, level }) => [id, level])).toEqual([["kafka.one-replica", "warn"]]);
    expect(pubsub.capabilities.maxBytes).toBe(8_388_608 - 1_024);
    expect(pubsub.capabilities.retentionMs).toBe(7 * 24 * 3_600_000);
    const large = await openKafka(kafka().port, { maxMessageBytes: "20MB", replicationFactor: 3 });
    expect((await large.inspect(b.patience)).map(({ id }) => id)).toEqual(["kafka.min-insync-replicas"]);
    expect(large.capabilities.maxBytes).toBe(20_000_000);
    await large.close(AbortSignal.timeout(5_000));
    const careless = await openKafka(kafka().port, { producerRequiredAcks: "1" });
    expect((await careless.inspect(b.patience))[0]).toMatchObject({ id: "kafka.acks", level: "refuse" });
    await careless.close(AbortSignal.timeout(5_000));
  });
});

const createPartitions: Api<{ readonly topic: string; readonly count: number }, number> = {
  name: "CreatePartitions",
  key: 37,
  version: 1,
  write: (writer, { topic, count }) =>
    writer
      .array([topic], (one) => writer.string(one).int32(count).int32(-1))
      .int32(10_000)
      .flag(false),
  read(reader) {
    reader.int32();
    const [error = 0] = reader.array(() => {
      reader.string();
      const number = reader.int16();
      reader.nullableString();
      return number;
    });
    return error;
  },
};
