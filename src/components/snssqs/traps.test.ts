import assert from "node:assert/strict";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type AwsServer, startAws } from "../../../test/brokers/aws.ts";
import { TcpProxy } from "../../../test/brokers/proxy.ts";
import { withAws } from "../../../test/brokers/with.ts";
import { type Bench, textOf, textsOf } from "../../conformance/bench.ts";
import { benchOn, metadata } from "./bench.fixture.ts";
import { MOST_BYTES } from "./limits.ts";

const START_MS = 300_000;
const TEST_MS = 60_000;

/** Where messages get lost on SNS and SQS, each tried. */
withAws("traps of SNS and SQS", () => {
  let server: AwsServer;
  let proxy: TcpProxy;
  let bench: Bench;
  beforeAll(async () => {
    server = await startAws();
    proxy = await TcpProxy.start(server.port);
  }, START_MS);
  beforeEach(() => {
    bench = benchOn(metadata(server.url));
  });
  afterEach(async () => {
    await proxy.forward();
    await bench.closeAll();
  }, TEST_MS);
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });

  test("more attributes than SQS takes arrive, and so do bytes that are no text", { timeout: TEST_MS }, async () => {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    const attributes = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`name${index}`, "v"]));
    const data = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await bench.publish(pubsub, { data, attributes });
    const delivery = await reading.sink.one();
    assert.deepEqual({ ...delivery.attributes }, attributes);
    assert.equal(Buffer.compare(delivery.data, data), 0);
  });

  test("what is too large is refused with the limit, and what only fits alone is sent alone", { timeout: TEST_MS }, async () => {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    const large = "x".repeat(pubsub.capabilities.maxBytes);
    const results = await bench.tryToPublish(pubsub, [large, "small", "y".repeat(MOST_BYTES), large]);
    const errors = results.map(({ error }) => error && { code: error.code, outcome: error.outcome, permanent: error.permanent });
    assert.deepEqual(errors, [undefined, undefined, { code: "resource_exhausted", outcome: "rejected", permanent: true }, undefined]);
    assert.match(results[2]?.error?.message ?? "", new RegExp(`the limit is ${MOST_BYTES}`));
    // Bytes that are no text grow on their way, and are counted as they travel.
    const [grown] = await bench.tryToPublish(pubsub, [{ data: new Uint8Array(200_000) }]);
    assert.equal(grown?.error?.code, "resource_exhausted");
    assert.deepEqual((await reading.sink.next(3)).map(({ data }) => data.length).sort(), [large.length, large.length, 5].sort());
  });

  test("on FIFO a dead letter that repeats an event arrives, also within the time of de-duplication", { timeout: TEST_MS }, async () => {
    bench = benchOn(metadata(server.url, { fifo: true }));
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    const event = { data: '{"id":"evt-1"}', attributes: { "cloudevent.id": "evt-1" }, key: "k" };
    await bench.publish(pubsub, event);
    (await reading.sink.one()).ack();
    await bench.publish(pubsub, event, { ...event, dedupId: "dl:group1:topic:p" });
    for (let index = 0; index < 2; index++) (await reading.sink.one()).ack();
    // The same dead letter, written again because the answer was lost, is there once.
    await bench.publish(pubsub, { ...event, dedupId: "dl:group1:topic:p" });
    await bench.publish(pubsub, "last");
    assert.deepEqual(await bench.until(reading, "last"), []);
  });

  test("what was received while its answer was lost comes again, once its lease is over", { timeout: TEST_MS }, async () => {
    bench = benchOn(metadata(`http://127.0.0.1:${proxy.port}`, { messageVisibilityTimeout: 2, requestTimeout: "1s" }));
    const publisher = benchOn(metadata(server.url));
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    const swallowed = proxy.swallowReplies("receivemessage");
    const sending = await publisher.open();
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error) => (error ? reject(error) : resolve());
      sending.publish([{ topic: bench.topic, data: Buffer.from("a"), attributes: {}, done }], publisher.patience);
    });
    await swallowed;
    await proxy.forward();
    const delivery = await reading.sink.one();
    assert.equal(textOf(delivery), "a");
    assert.ok((delivery.deliveries ?? 0) >= 1);
    await publisher.closeAll();
  });

  test("an acknowledgement whose answer was lost stands all the same", { timeout: TEST_MS }, async () => {
    bench = benchOn(metadata(`http://127.0.0.1:${proxy.port}`, { requestTimeout: "1s" }));
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    const delivery = await reading.sink.one();
    const swallowed = proxy.swallowReplies("deletemessagebatch");
    delivery.ack();
    await swallowed;
    await proxy.forward();
    await bench.flush(reading);
    await bench.publish(pubsub, "last");
    assert.deepEqual(await bench.until(reading, "last"), []);
  });

  test("a publish whose answer was lost fails as unknown, never as rejected", { timeout: TEST_MS }, async () => {
    bench = benchOn(metadata(`http://127.0.0.1:${proxy.port}`, { requestTimeout: "1s" }));
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    void proxy.swallowReplies("publishbatch");
    const [result] = await bench.tryToPublish(pubsub, ["a"]);
    assert.deepEqual([result?.error?.code, result?.error?.outcome], ["unavailable", "unknown"]);
    assert.equal(textOf(await reading.sink.one()), "a");
  });

  test("a publish that finds no connection fails as rejected, at once", { timeout: TEST_MS }, async () => {
    bench = benchOn(metadata(`http://127.0.0.1:${proxy.port}`));
    const pubsub = await bench.open();
    await bench.ensure(pubsub);
    await proxy.refuse();
    const [result] = await bench.tryToPublish(pubsub, ["a"]);
    assert.deepEqual([result?.error?.code, result?.error?.outcome], ["unavailable", "rejected"]);
  });

  test("a reader that stood still longer than its lease settles nothing afterwards, and gets the message again", {
    timeout: TEST_MS,
  }, async () => {
    bench = benchOn(metadata(`http://127.0.0.1:${proxy.port}`, { messageVisibilityTimeout: 2, requestTimeout: "1s" }));
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    const first = await reading.sink.one();
    proxy.stall();
    await expect.poll(() => reading.sink.lostOnes.length, { timeout: TEST_MS / 2 }).toBe(1);
    assert.equal(first.ack(), false);
    await proxy.forward();
    // An answer that was stalled with the rest may bring it with a lease that is over by then: it comes once more.
    let again = await reading.sink.one();
    while (!again.ack()) again = await reading.sink.one();
    assert.equal(again.position, first.position);
    await bench.flush(reading);
    await bench.publish(pubsub, "last");
    assert.deepEqual(await bench.until(reading, "last"), []);
  });

  test("on FIFO, a key that waits for a retry is passed by by nothing, also at another reader", { timeout: TEST_MS }, async () => {
    bench = benchOn(metadata(server.url, { fifo: true }));
    const [one, two] = [await bench.open(), await bench.open()];
    const both = bench.recorder();
    await bench.read(one, {}, both);
    await bench.read(two, {}, both);
    await bench.publish(one, ...["1", "2", "3"].map((data) => ({ data, key: "k" })), { data: "other", key: "l" });
    const first = await both.next(2);
    assert.deepEqual(textsOf(first), ["1", "other"]);
    assert.equal(first.find((delivery) => textOf(delivery) === "1")?.retry?.(1_000, 1), true);
    for (let index = 0; index < 3; index++) (await both.one()).ack();
    assert.deepEqual(both.seen.slice(2).map(textOf), ["1", "2", "3"]);
  });

  test("when topics and queues are gone, they are made again with their groups, before anything is published", {
    timeout: TEST_MS,
  }, async () => {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "before");
    (await reading.sink.one()).ack();
    await bench.flush(reading);
    await server.reset();
    let missing = 0;
    for (;;) {
      const [result] = await bench.tryToPublish(pubsub, ["after"]);
      if (!result?.error) break;
      assert.deepEqual([result.error.code, result.error.outcome, result.error.permanent], ["not_found", "rejected", false]);
      missing += 1;
      assert.ok(missing < 3, "it is not made again");
    }
    assert.equal(textOf(await reading.sink.one()), "after");
  });
});
