import { Status } from "layotto-transport";
import { expect, test } from "vitest";
import { Code } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import type { Lease } from "./lease.ts";
import { Leases } from "./leases.ts";
import type { Member } from "./member.ts";
import { given } from "./played-proxy.fixture.ts";
import { PlayedReader } from "./played-reader.fixture.ts";

const KEYS = ["a", "b", "c"];

/** Messages of one queue, each of another key. */
const queued = (...positions: readonly string[]) => positions.map((position, index) => given(position, { key: KEYS[index] as string }));

/** An ordered group that was lent these, of which some are done. */
async function lentAndDone(positions: readonly string[], done: readonly string[], options: object = {}): Promise<PlayedReader> {
  const played = await new PlayedReader("key", options).open();
  played.reader.window(10, 100_000);
  played.proxy.poll?.gives(...queued(...positions));
  for (const position of done) expect(played.of(position).ack()).toBe(true);
  await played.pass();
  return played;
}

const acks = ({ proxy }: PlayedReader) => proxy.asked.filter((one) => one.startsWith("AckMessage"));
const changes = ({ proxy }: PlayedReader) => proxy.asked.filter((one) => one.startsWith("ChangeInvisibleDuration")).sort();

test("an acknowledgement does not overtake an older message of its queue, which the broker might then skip; it goes with that at once", async () => {
  const played = await lentAndDone(["m1", "m2"], ["m2"]);
  expect(acks(played)).toEqual([]);
  played.of("m1").ack();
  await played.pass();
  expect(acks(played)).toEqual(["AckMessage m1 m2"]);
});

test("queues do not wait for each other, and without order nobody waits", async () => {
  const played = await new PlayedReader("key").open();
  played.reader.window(10, 100_000);
  played.proxy.poll?.gives(given("m1", { key: "a" }), given("other", { key: "b", queue: 2 }));
  played.of("other").ack();
  await played.pass();
  expect(acks(played)).toEqual(["AckMessage other"]);
  const unordered = await new PlayedReader("none").open();
  unordered.reader.window(10, 100_000);
  unordered.proxy.poll?.gives(given("m1"), given("m2"));
  unordered.of("m2").ack();
  await unordered.pass();
  expect(acks(unordered)).toEqual(["AckMessage m2"]);
});

test("what an answer brings that does not come to its end is not lent: the broker gives it again, perhaps with fewer, whose leases alone are valid then", async () => {
  const played = await new PlayedReader("key").open();
  played.reader.window(10, 100_000);
  const { poll } = played.proxy;
  poll?.brings(...queued("m1", "m2"));
  poll?.fails(Status.UNAVAILABLE);
  expect(played.positions).toEqual([]);
  await played.pass(1_000);
  expect(played.proxy.poll?.request.attemptId).toBe(poll?.request.attemptId);
  played.proxy.poll?.gives(...queued("m1"));
  expect(played.positions).toEqual(["m1"]);
  // Nobody asks again for a reader that leaves.
  played.proxy.poll?.brings(...queued("m2"));
  const closing = played.reader.close(AbortSignal.timeout(10_000));
  await played.pass(2);
  expect(changes(played)).toEqual(["ChangeInvisibleDuration m2"]);
  await closing;
});

test("of an answer that does not come to its end fewer are asked for the next time, so that a slow link brings them in the end", async () => {
  const played = await new PlayedReader("key").open();
  played.reader.window(32, 100_000_000);
  const sizes: number[] = [];
  const breaksOff = async (...positions: readonly string[]): Promise<void> => {
    const { poll } = played.proxy;
    sizes.push(poll?.request.batchSize ?? 0);
    poll?.brings(...queued(...positions));
    poll?.fails(Status.DEADLINE_EXCEEDED);
    await played.pass(1_000);
  };
  for (const positions of [["m1", "m2", "m3"], ["m1", "m2"], [], []]) await breaksOff(...positions);
  expect(sizes).toEqual([32, 3, 2, 1]);
  played.proxy.poll?.gives(...queued("m1"));
  expect([played.positions, played.proxy.poll?.request.batchSize]).toEqual([["m1"], 31]);
});

test("a queue is that of the broker that gave, be it another than was asked", async () => {
  const handle = (broker: string, position: string) => `0 1 1 999 0 ${broker} 1 0 0 ${position}`;
  const played = await new PlayedReader("key").open();
  played.reader.window(10, 100_000);
  const from = (broker: string, position: string) => given(position, { key: "a", handle: handle(broker, position) });
  played.proxy.poll?.gives(from("b", "m1"), from("b", "m2"));
  played.proxy.poll?.gives(from("other", "n1"));
  for (const position of ["m1", "m2"]) played.of(position).ack();
  await played.pass();
  expect(acks(played)).toEqual(["AckMessage m1 m2"]);
});

test("the lease of one that waits is renewed, and it is acknowledged with the newest handle", async () => {
  const played = await lentAndDone(["m1", "m2"], ["m2"], { lease: "12s" });
  played.proxy.answers.ChangeInvisibleDuration = (request) => ({ receiptHandle: `newer ${"messageId" in request && request.messageId}` });
  const handles: string[] = [];
  played.proxy.answers.AckMessage = (request) => {
    handles.push(...(request as unknown as { entries: { receiptHandle: string }[] }).entries.map(({ receiptHandle }) => receiptHandle));
    return {};
  };
  for (let looks = 0; looks < 12; looks++) await played.pass(2_000);
  expect(changes(played)).toEqual(expect.arrayContaining(["ChangeInvisibleDuration m1", "ChangeInvisibleDuration m2"]));
  played.of("m1").ack();
  await played.pass();
  expect([handles, played.lostOnes]).toEqual([["newer m1", "newer m2"], []]);
});

test("one that waits is not kept with its bytes", async () => {
  const played = await lentAndDone(["m1", "m2"], []);
  const lease = played.of("m2") as Lease;
  const leases = new Leases({} as Member, played.reader);
  leases.add(lease);
  const newer = { text: "newer", through: "proxy:1", at: 0 };
  lease.givenAgain(newer, 0);
  const rest = leases.lighten(lease);
  expect(leases.all).toEqual([rest]);
  expect(rest).toMatchObject({ identity: lease.identity, handle: newer, older: lease.older, queue: lease.queue, state: lease.state });
  expect([rest.data.length, lease.data.length]).toEqual([0, 100]);
});

test.each<[what: string, answer: () => Record<string, unknown> | Promise<never>]>([
  ["refused to us", () => ({ status: { code: Code.INVALID_RECEIPT_HANDLE } })],
  ["over, since nobody can be told to prolong it,", () => new Promise(() => undefined)],
])(
  "a lease that is %s while its message waits is nobody's loss; when it comes again it is acknowledged behind the others",
  async (_, answer) => {
    const played = await lentAndDone(["m1", "m2"], ["m2"], { lease: "12s" });
    played.proxy.answers.ChangeInvisibleDuration = (request) => ("messageId" in request && request.messageId === "m2" ? answer() : {});
    for (let looks = 0; looks < 7; looks++) await played.pass(2_000);
    expect(played.lostOnes).toEqual([]);
    played.of("m1").ack();
    await played.pass();
    expect(acks(played)).toEqual(["AckMessage m1"]);
    played.proxy.poll?.gives(...queued("m2"));
    await played.pass();
    expect([acks(played), played.positions]).toEqual([
      ["AckMessage m1", "AckMessage m2"],
      ["m1", "m2"],
    ]);
  },
);

test("when the first goes back all that is done behind it does, so that the broker need not wait for its leases, and is not lent again", async () => {
  const played = await lentAndDone(["m1", "m2", "m3"], ["m2"]);
  played.of("m1").release();
  played.of("m3").ack();
  await played.pass(2);
  expect([changes(played), acks(played)]).toEqual([
    ["ChangeInvisibleDuration m1", "ChangeInvisibleDuration m2", "ChangeInvisibleDuration m3"],
    [],
  ]);
  played.proxy.poll?.gives(...queued("m1", "m2", "m3"));
  await played.pass();
  expect([played.positions, acks(played)]).toEqual([["m1", "m2", "m3", "m1"], []]);
  played.of("m1").ack();
  await played.pass();
  expect(acks(played)).toEqual(["AckMessage m1 m2 m3"]);
});

test("when the first comes again alone, the others do not: they are acknowledged when they come", async () => {
  const played = await lentAndDone(["m1", "m2", "m3"], ["m2", "m3"]);
  played.of("m1").release();
  await played.pass();
  played.proxy.poll?.gives(...queued("m1"));
  played.of("m1").ack();
  await played.pass();
  played.proxy.poll?.gives(...queued("m2", "m3"));
  await played.pass();
  expect([played.positions, acks(played)]).toEqual([
    ["m1", "m2", "m3", "m1"],
    ["AckMessage m1", "AckMessage m2 m3"],
  ]);
});

test("a broker that has forgotten what it lent gives it again: what waits waits on, with both handles", async () => {
  const played = await lentAndDone(["m1", "m2"], ["m2"]);
  played.proxy.poll?.gives(...queued("m1", "m2", "m3"));
  await played.pass();
  expect([played.positions, acks(played)]).toEqual([["m1", "m2", "m3"], []]);
  played.of("m1").ack();
  await played.pass();
  expect(acks(played)).toEqual(["AckMessage m1 m1 m2 m2"]);
});

test("neither flush nor close waits for those that wait", async () => {
  const played = await lentAndDone(["m1", "m2"], ["m2"]);
  await played.reader.flush(AbortSignal.timeout(10_000));
  await played.reader.close(AbortSignal.timeout(10_000));
  expect(acks(played)).toEqual([]);
});

test("two of one id and one body in two queues are one message, and hold up neither queue", async () => {
  const played = await lentAndDone(["twice"], []);
  played.proxy.poll?.gives(given("twice", { key: "a", queue: 2 }), given("m2", { key: "b", queue: 2 }));
  played.of("m2").ack();
  await played.pass();
  expect(acks(played)).toEqual(["AckMessage m2"]);
  played.of("twice").ack();
  await played.pass();
  expect(acks(played)).toEqual(["AckMessage m2", "AckMessage twice twice"]);
});
