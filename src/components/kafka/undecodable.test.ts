import { expect, test } from "vitest";
import { readAssignment, readSubscription, writeSubscription } from "./assignor.ts";
import type { Cluster } from "./cluster.ts";
import { readMarks, writeMarks } from "./marks.ts";
import { PlayedReader } from "./played-reader.fixture.ts";
import { DONE } from "./progress.ts";
import { Sharing } from "./sharing.ts";
import { joinGroup, syncGroup } from "./wire/group-apis.ts";

/** A version, and the length of a list that does not follow. */
const CUT_OFF = Buffer.from([0, 1, 0, 0, 0, 9]);

test("a member whose subscription cannot be decoded reads nothing, and the others get their partitions", async () => {
  const cluster = { refresh: () => Promise.resolve(), topic: () => Promise.resolve({ name: "t", id: "", leaders: [1, 1] }) };
  const subscription = writeSubscription({ topics: ["t"], owned: [], generation: -1 });
  const members = [
    { member: "a", subscription: CUT_OFF },
    { member: "b", subscription },
  ];
  const shared = await new Sharing(cluster as unknown as Cluster).share({ error: 0, generation: 1, leader: "b", member: "b", members });
  expect([...shared].map(([member, bytes]) => [member, readAssignment(Buffer.from(bytes))])).toEqual([
    ["a", []],
    ["b", [{ topic: "t", partitions: [0, 1] }]],
  ]);
  expect(readSubscription(Buffer.alloc(0)).topics).toEqual([]);
});

test("an assignment that cannot be decoded is told of, and asked for again", async () => {
  expect(() => readAssignment(CUT_OFF)).toThrow(expect.objectContaining({ name: "PubSubError", code: "internal", permanent: false }));
  const played = new PlayedReader(1);
  played.on(syncGroup, () => ({ error: 0, assignment: CUT_OFF }));
  await expect.poll(() => played.told.at(-1)).toMatchObject({ code: "internal", message: expect.stringMatching(/leader assigned/) });
  played.assigns(0);
  played.clock.advance(100);
  await expect.poll(() => played.read).toEqual([0]);
  expect(played.asked(joinGroup).length).toBe(2);
  expect(played.told.at(-1)).toBeUndefined();
});

test("metadata of a commit that was cut off says nothing", () => {
  const { text } = writeMarks("0a".repeat(16), 0, [{ from: 1, to: 1_000_000, failures: DONE }], 4_096);
  const marks = text.indexOf(":", 3) + 1;
  const cut = Buffer.from(text.slice(marks), "base64").subarray(0, 2).toString("base64");
  expect(readMarks(0, `${text.slice(0, marks)}${cut}`)).toEqual([]);
});
