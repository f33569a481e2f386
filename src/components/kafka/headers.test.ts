import { expect, test, vi } from "vitest";
import { onKafka } from "../../../test/brokers/on-kafka.ts";
import { openKafka, TIMES } from "./bench.fixture.ts";
import { kafkaOptions } from "./config.ts";
import { headersOf, outgoingOf } from "./headers.ts";

const options = (more: Readonly<Record<string, unknown>>) => kafkaOptions.parse({ brokers: "localhost", ...more });
const shown = (metadata: Readonly<Record<string, unknown>>, attributes: Readonly<Record<string, string>>) => {
  const record = { offset: 0, timestamp: 0, key: undefined, data: Buffer.alloc(0), attributes };
  return (headersOf(options(metadata))?.(record) ?? record).attributes;
};
const OURS = { "layotto-content-type": "text/plain; charset=utf-8", "layotto-expiration": "2026-01-01T00:00:00.000Z" };

test.each([
  ["a b+c", "a+b%2Bc"],
  ["!'()*", "%21%27%28%29%2A"],
  ["-_.~aZ09", "-_.~aZ09"],
  ["ü/€", "%C3%BC%2F%E2%82%AC"],
  ["\u{1f600}\ud83d", "%F0%9F%98%80%EF%BF%BD"],
])("the value %o is escaped as Go does it", (value, escaped) => {
  expect(shown({ escapeHeaders: true }, { "my key": value })).toEqual({ "my key": escaped });
});

test("what the engine wrote it finds as it wrote it", () => {
  expect(shown({ escapeHeaders: true, excludeHeaderMetaRegex: "." }, { a: "b", ...OURS })).toEqual(OURS);
  const message = { topic: "t", data: Buffer.from("d"), key: "k", attributes: { a: "b", ...OURS }, done: vi.fn() };
  const sent = outgoingOf(options({ excludeHeaderMetaRegex: "." }))(message);
  expect(sent).toMatchObject({ topic: "t", data: message.data, key: "k" });
  expect(sent.attributes).toEqual(OURS);
  sent.done(undefined, "0-1");
  expect(message.done).toHaveBeenCalledExactlyOnceWith(undefined, "0-1");
});

test.each(["(?i)^trace", "^(?i:trace)"])("the pattern %s is read as Go does", (excludeHeaderMetaRegex) => {
  expect(shown({ excludeHeaderMetaRegex }, { Traceparent: "a", tracestate: "b", other: "c" })).toEqual({ other: "c" });
});

test("what is no header may be the key all the same", () => {
  const sent = outgoingOf(options({ excludeHeaderMetaRegex: "^__" }));
  const message = { topic: "t", data: Buffer.from("d"), attributes: { __key: "dapr", a: "b" }, done: vi.fn() };
  expect(sent(message)).toMatchObject({ key: "dapr", attributes: { a: "b" } });
  expect(sent({ ...message, key: "ours" })).toMatchObject({ key: "ours" });
  expect(sent({ ...message, attributes: { __key: "" } })).not.toHaveProperty("key");
});

test("without a need for it nothing is touched", () => {
  expect(headersOf(options({}))).toBeUndefined();
  const message = { topic: "t", data: Buffer.from("d"), attributes: { a: "b" }, done: vi.fn() };
  expect(outgoingOf(options({ escapeHeaders: true }))(message)).toBe(message);
});

onKafka("kafka: headers", ({ kafka, on }) => {
  test("they are escaped for the app alone, and what nobody wants is neither published nor delivered", async () => {
    const bench = on({ escapeHeaders: true, excludeHeaderMetaRegex: "^trace" });
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, { data: "a", attributes: { "my key": "ü 1\ud800", traceparent: "00", ...OURS } });
    const plain = await openKafka(kafka().port, TIMES);
    try {
      const [raw] = (await plain.admin?.browse?.(bench.topic, undefined, 1)) ?? [];
      expect({ ...raw?.attributes }).toEqual({ "my key": "ü 1\ufffd", ...OURS });
      expect({ ...(await reading.sink.one()).attributes }).toEqual({ "my key": "%C3%BC+1%EF%BF%BD", ...OURS });
      await bench.publish(plain, { data: "b", attributes: { "my key": "b", tracestate: "x" } });
      expect({ ...(await reading.sink.one()).attributes }).toEqual({ "my key": "b" });
    } finally {
      await plain.close(AbortSignal.timeout(5_000));
    }
  });
});
