// node bench/codec.ts: what the hot messages cost to encode and to decode, with our code and with protobuf-es. Rounds take turns; medians.
import { randomUUID } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { TopicEventRequestSchema, TopicEventResponseSchema } from "layotto-proto/appcallback";
import { decodePublishEvent, encodePublishEvent } from "layotto-proto/publish-event";
import { PublishEventRequestSchema } from "layotto-proto/runtime";
import {
  decodeTopicEvent,
  decodeTopicEventStatus,
  encodeTopicEvent,
  encodeTopicEventStatus,
  TopicEventStatus,
} from "layotto-proto/topic-event";

type Work = (index: number) => unknown;

const ROUNDS = 15;
const ROUND_MS = 20;
const BATCH = 500;

const common = { pubsubName: "redis", topic: "orders", dataContentType: "application/json", metadata: { partitionKey: "customer-1234" } };
const published = { ...common, data: new Uint8Array(256).fill(0x61) };
const envelope = { source: "layotto", type: "com.layotto.event.sent", specVersion: "1.0" };
// Ids differ, as they do in life: a string that was never seen costs more than one that was.
const events = Array.from({ length: 64 }, () => ({ ...published, ...envelope, id: randomUUID() }));
const event = (index: number) => events[index & 63] as (typeof events)[number];
const retry = { status: TopicEventStatus.RETRY };

const publishedBytes = Buffer.from(encodePublishEvent(published));
const eventBytes = events.map((each) => Buffer.from(encodeTopicEvent(each)));
const retryBytes = Buffer.from(encodeTopicEventStatus(retry.status));
const bytesOf = (index: number) => eventBytes[index & 63] as Buffer;

const cases: Readonly<Record<string, Readonly<Record<"ours" | "protobuf-es", Work>>>> = {
  "encode PublishEventRequest": {
    ours: () => encodePublishEvent(published),
    "protobuf-es": () => toBinary(PublishEventRequestSchema, create(PublishEventRequestSchema, published)),
  },
  "decode PublishEventRequest": {
    ours: () => decodePublishEvent(publishedBytes),
    "protobuf-es": () => fromBinary(PublishEventRequestSchema, publishedBytes),
  },
  "encode TopicEventRequest": {
    ours: (index) => encodeTopicEvent(event(index)),
    "protobuf-es": (index) => toBinary(TopicEventRequestSchema, create(TopicEventRequestSchema, event(index))),
  },
  "decode TopicEventRequest": {
    ours: (index) => decodeTopicEvent(bytesOf(index)),
    "protobuf-es": (index) => fromBinary(TopicEventRequestSchema, bytesOf(index)),
  },
  "encode TopicEventResponse": {
    ours: () => encodeTopicEventStatus(retry.status),
    "protobuf-es": () => toBinary(TopicEventResponseSchema, create(TopicEventResponseSchema, retry)),
  },
  "decode TopicEventResponse": {
    ours: () => decodeTopicEventStatus(retryBytes),
    "protobuf-es": () => fromBinary(TopicEventResponseSchema, retryBytes),
  },
};

const times = new Map<Work, number[]>();
let last: unknown; // keeps the compiler from leaving the work out
for (let round = -2; round < ROUNDS; round++) {
  for (const works of Object.values(cases)) {
    for (const work of Object.values(works)) {
      const time = measure(work);
      if (round >= 0) times.set(work, [...(times.get(work) ?? []), time]);
    }
  }
}
const rows = Object.entries(cases).map(([name, { ours, "protobuf-es": es }]) => [
  name,
  { ours: median(ours), "protobuf-es": median(es), ratio: Number((median(es) / median(ours)).toFixed(1)) },
]);
console.log(`ns each, Node ${process.versions.node}, ${ROUNDS} rounds (${typeof last})`);
console.table(Object.fromEntries(rows));

/** Nanoseconds a call. */
function measure(work: Work): number {
  const start = performance.now();
  let calls = 0;
  let elapsed = 0;
  for (; elapsed < ROUND_MS; elapsed = performance.now() - start) {
    for (let index = 0; index < BATCH; index++) last = work(index);
    calls += BATCH;
  }
  return (elapsed * 1e6) / calls;
}

function median(work: Work): number {
  const sorted = [...(times.get(work) ?? [])].sort((a, b) => a - b);
  return Math.round(sorted[sorted.length >> 1] ?? Number.NaN);
}
