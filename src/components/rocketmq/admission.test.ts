import { expect, test } from "vitest";
import { PubSubError } from "../../pubsub/error.ts";
import type { Order } from "../../pubsub/subscription.ts";
import { NO_LIMIT, UNSEEN_ATTEMPTS } from "./group-shape.ts";
import { PlayedReader } from "./played-reader.fixture.ts";

/** What a proxy says of a group. */
const group = (fifo: boolean, limit: number) =>
  ({ pubSub: { case: "subscription", value: { fifo } }, backoffPolicy: { maxAttempts: limit + 1 } }) as const;

test.each<[Order, boolean]>([
  ["key", true],
  ["none", false],
])("with order %s a proxy that cannot look at the group is told what it is", async (order, fifo) => {
  const played = await new PlayedReader(order).open();
  expect(played.proxy.introduced).toMatchObject([
    { backoffPolicy: { maxAttempts: UNSEEN_ATTEMPTS }, pubSub: { case: "subscription", value: { fifo } } },
  ]);
  expect(UNSEEN_ATTEMPTS).toBeGreaterThan(NO_LIMIT);
});

test("a proxy that says otherwise than the brokers is asked again each second, and nothing is read until it knows", async () => {
  const played = new PlayedReader("key");
  played.proxy.settings = group(false, 16);
  const opening = played.reader.open(played.brokers, AbortSignal.timeout(10_000));
  played.reader.window(10, 100_000);
  await played.pass();
  for (let seconds = 0; seconds < 5; seconds++) await played.pass(1_000);
  played.reader.window(10, 100_000);
  expect(played.told).toEqual([
    expect.stringContaining("what the brokers say of the group, and is asked again: The group g gives a message 17 times"),
  ]);
  expect([played.proxy.introduced.length, played.proxy.polls.length]).toEqual([6, 0]);
  played.proxy.settings = group(true, NO_LIMIT);
  await played.pass(1_000);
  await opening;
  expect([played.told.at(-1), played.proxy.poll]).toEqual([undefined, expect.anything()]);
  await played.pass(5_000);
  expect(played.proxy.introduced).toHaveLength(7);
});

test("why the proxy does not know yet is the error of a reader that waits in vain, and it may be tried again", async () => {
  const played = new PlayedReader("none");
  played.proxy.settings = group(false, 16);
  const late = new AbortController();
  const opening = played.reader.open(played.brokers, late.signal);
  await played.pass();
  late.abort();
  await expect(opening).rejects.toMatchObject({ permanent: false, message: expect.stringContaining("updateSubGroup") });
  expect(played.clock.timers).toBe(0);
});

test("a proxy that takes a group for another when the connection is made anew is not read from, until it knows", async () => {
  const played = await new PlayedReader("key").open();
  played.reader.window(10, 100_000);
  played.proxy.settings = group(false, NO_LIMIT);
  played.proxy.lose(new PubSubError("unavailable", "the connection is lost"));
  played.proxy.connect();
  await played.pass(2_000);
  expect([played.told.at(-1), played.proxy.poll]).toEqual([expect.stringContaining("is not orderly"), undefined]);
  played.proxy.settings = undefined;
  await played.pass(1_000);
  expect([played.told.at(-1), played.proxy.poll]).toEqual([undefined, expect.anything()]);
});

test("a reader whose proxy never comes to know ends, so that the brokers are asked with the next", async () => {
  const played = await new PlayedReader("none").open();
  played.proxy.settings = group(false, 16);
  played.proxy.lose(new PubSubError("unavailable", "the connection is lost"));
  played.proxy.connect();
  for (let seconds = 0; seconds < 31; seconds++) await played.pass(1_000);
  expect(await played.reader.closed).toMatchObject({ permanent: false, message: expect.stringContaining("updateSubGroup") });
  expect(played.clock.timers).toBe(0);
});

test("without management a proxy that has not seen the group is asked again: the brokers might make one with a limit", async () => {
  const played = new PlayedReader("key", {}, false);
  const opening = played.reader.open(played.brokers, AbortSignal.timeout(10_000));
  played.reader.window(10, 100_000);
  await played.pass(2_000);
  expect([played.told, played.proxy.polls]).toEqual([[expect.stringContaining("updateSubGroup -c CLUSTER -g g -o true")], []]);
  played.proxy.settings = group(true, NO_LIMIT);
  await played.pass(1_000);
  await opening;
  expect(played.proxy.poll).toBeDefined();
});
