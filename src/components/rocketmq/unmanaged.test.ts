import { expect, test } from "vitest";
import { Recorder } from "../../conformance/recorder.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import type { Order, Subscription } from "../../pubsub/subscription.ts";
import { NO_LIMIT } from "./group-shape.ts";
import { component, opened } from "./played-component.fixture.ts";
import { PlayedServer } from "./played-server.fixture.ts";

/** A proxy whose groups are all of this kind. */
async function proxyOf(fifo: boolean, limit: number): Promise<PlayedServer> {
  const proxy = await opened(new PlayedServer());
  proxy.topics.set("t", ["b"]);
  proxy.settings = settings(fifo, limit);
  return proxy;
}

const settings = (fifo: boolean, limit: number) =>
  ({ pubSub: { case: "subscription", value: { fifo } }, backoffPolicy: { maxAttempts: limit + 1 } }) as const;

const join = (pubsub: PubSub, order: Order): Promise<Subscription> =>
  pubsub.subscribe({ topic: "t", group: "g", order, start: "earliest", options: {} }, new Recorder());

test("without management the proxy says that a group has a limit, and the group is not read", async () => {
  const pubsub = await component(await proxyOf(true, 16));
  await expect(join(pubsub, "none")).rejects.toMatchObject({
    code: "failed_precondition",
    permanent: true,
    message: expect.stringContaining(`gives a message 17 times at most`),
  });
  await expect(join(pubsub, "key")).rejects.toMatchObject({ message: expect.stringContaining(`-g g-ordered -o true -r ${NO_LIMIT}`) });
});

test("without management the proxy says that a group is orderly, and it is not read without order", async () => {
  const pubsub = await component(await proxyOf(true, NO_LIMIT));
  await expect(join(pubsub, "none")).rejects.toMatchObject({
    code: "failed_precondition",
    permanent: true,
    message: expect.stringContaining("subscribe with order: key, or use another group"),
  });
});

test("without management the proxy says that a group keeps no order, and it is not read in order", async () => {
  const pubsub = await component(await proxyOf(false, NO_LIMIT));
  await expect(join(pubsub, "key")).rejects.toMatchObject({
    code: "failed_precondition",
    permanent: true,
    message: expect.stringContaining(`-g g-ordered -o true -r ${NO_LIMIT}`),
  });
  await join(pubsub, "none");
});

test("a group that is fit is read, until the proxy says otherwise", async () => {
  const proxy = await proxyOf(true, NO_LIMIT);
  const pubsub = await component(proxy);
  const subscription = await join(pubsub, "key");
  proxy.settings = settings(true, 16);
  proxy.tell();
  expect(await subscription.closed).toMatchObject({ code: "failed_precondition", permanent: true });
});
