import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { definition } from "../components/in-memory/index.ts";
import { systemClock } from "../pubsub/clock.ts";
import type { Outgoing } from "../pubsub/outgoing.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { conformance, type Gap, type Harness } from "./index.ts";

const BYTES = "bytes arrive as they were sent: every value, none, four million";

/** The component in memory, spoilt by `fault`. */
function harness(fault: (pubsub: PubSub) => Partial<PubSub> = () => ({}), gaps: readonly Gap[] = []): Harness {
  const options = definition.options.parse({ broker: randomUUID() });
  const context = { name: "test", appId: "app1", process: "host:1", dataDir: "", clock: systemClock };
  return {
    name: "spoilt",
    capabilities: definition.capabilities,
    leaseMs: 50,
    gaps,
    open() {
      const pubsub = definition.open(options, context);
      const spoilt = { ...fault(pubsub) };
      return Promise.resolve(
        new Proxy(pubsub, {
          get(target, name) {
            const value: unknown = Reflect.get(Object.hasOwn(spoilt, name) ? spoilt : target, name);
            return typeof value === "function" ? value.bind(target) : value;
          },
        }),
      );
    },
    crash: (pubsub) => pubsub.close(AbortSignal.abort()),
  };
}

const sending = (pubsub: PubSub, change: (message: Outgoing) => Partial<Outgoing>): Partial<PubSub> => ({
  publish: (batch, signal) => {
    const changed = batch.map((message): Outgoing => ({ ...message, done: (...result) => message.done(...result), ...change(message) }));
    pubsub.publish(changed, signal);
  },
});

async function failing(spoilt: Harness): Promise<readonly string[]> {
  const results = await Promise.allSettled(conformance(spoilt).map(({ name, run }) => run().catch(() => Promise.reject(name))));
  return results.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []));
}

test("a component that changes bytes is found", async () => {
  const fault = (pubsub: PubSub) => sending(pubsub, ({ data }) => ({ data: data.map((byte) => (byte === 0xff ? 0xfe : byte)) }));
  expect(await failing(harness(fault))).toEqual([`D11: ${BYTES}`]);
});

test("a component that drops attributes with an unusual name is found", async () => {
  const plain = (attributes: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(attributes).filter(([name]) => /^[\w-]+$/.test(name)));
  const fault = (pubsub: PubSub) => sending(pubsub, ({ attributes }) => ({ attributes: plain(attributes) }));
  expect(await failing(harness(fault))).toEqual(["D12: attributes arrive, whatever their names and values"]);
});

test("a component that exceeds its window is found", async () => {
  const fault = (pubsub: PubSub): Partial<PubSub> => ({
    async subscribe(request, sink) {
      const subscription = await pubsub.subscribe(request, sink);
      const window = subscription.window.bind(subscription);
      subscription.window = (messages, bytes) => window(2 * messages, bytes);
      return subscription;
    },
  });
  expect(await failing(harness(fault))).toEqual(["D7: no more messages are lent than the window allows"]);
});

test("a gap must fail, be known, and be closed when it passes", async () => {
  const gaps = [{ behaviour: BYTES, why: "the broker keeps text" }];
  const run = (spoilt: Harness) =>
    conformance(spoilt)
      .find(({ name }) => name.endsWith(BYTES))
      ?.run();
  await run(harness((pubsub) => sending(pubsub, () => ({ data: new Uint8Array(1) })), gaps));
  await expect(run(harness(undefined, gaps))).rejects.toThrow("it does, although the gap says: the broker keeps text");
  expect(() => conformance(harness(undefined, [{ behaviour: "it flies", why: "" }]))).toThrow('no behaviour "it flies"');
});
