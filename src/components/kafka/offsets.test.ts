import { expect, test } from "vitest";
import type { Cluster, Topic } from "./cluster.ts";
import { fetchApi, recordsAt } from "./offsets.ts";
import { fetch, fetchByName } from "./wire/log-apis.ts";

const TOPIC: Topic = { name: "topic1", id: "0a".repeat(16), leaders: [1] };

/** A cluster that answers every fetch with these bytes. */
function answering(records: Buffer): Cluster {
  const answer = { error: 0, partitions: [{ index: 0, error: 0, lastStable: 9, logStart: 0, aborted: [], records }] };
  const connection = { speaks: new Map([[fetch.key, 13]]), call: () => Promise.resolve(answer) };
  return { connection: () => Promise.resolve(connection), ground: { options: { readTimeout: 1_000 } } } as unknown as Cluster;
}

test("what cannot be decoded is the broker's error, whoever asks for it", async () => {
  const old = Buffer.alloc(100);
  old.writeInt32BE(88, 8);
  old[16] = 1;
  await expect(recordsAt(answering(old), TOPIC, 0, 7)).rejects.toMatchObject({
    name: "PubSubError",
    code: "internal",
    message: expect.stringMatching(/reading topic1, partition 0, from 7: .*before Kafka 0.11/),
  });
});

test("records are asked for by the topic's id where it has one, and both know it", () => {
  expect(fetchApi(new Map([[fetch.key, 13]]), TOPIC.id)).toBe(fetch);
  expect(fetchApi(new Map([[fetch.key, 12]]), TOPIC.id)).toBe(fetchByName);
  expect(fetchApi(new Map([[fetch.key, 13]]), "00".repeat(16))).toBe(fetchByName);
});
