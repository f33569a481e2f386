import { expect, test } from "vitest";
import { definition } from "../components/in-memory/index.ts";
import { PlayedApp } from "../conformance/engine/played-app.ts";
import { POLICY, PUBLISHING } from "../conformance/engine/policy.ts";
import { UNHEARD } from "../conformance/engine/sidecar.ts";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { SubscribeRequest } from "../pubsub/subscription.ts";
import { Engine } from "./engine.ts";

const OPTIONS = {
  publish: PUBLISHING,
  publishBuffer: 1_000_000,
  maxMessageBytes: 1_000_000,
  deliveryBuffer: 1_000_000,
  delivery: POLICY,
} as const;

test("a remembered group is made in the order that it asks for, and one that is declared only as it is declared", async () => {
  const made: string[] = [];
  const note = ({ topic, order }: SubscribeRequest): void => void made.push(`${topic} ${order}`);
  const context = { name: "broker", appId: "app1", process: "host:1", dataDir: "", clock: new SteppedClock() };
  const broker = definition.open(definition.options.parse({}), context);
  const pubsub: PubSub = {
    capabilities: broker.capabilities,
    publish: (batch, signal) => broker.publish(batch, signal),
    subscribe: (request, sink) => {
      note(request);
      return broker.subscribe(request, sink);
    },
    ensure: (topic, groups, signal) => {
      for (const group of groups) note(group);
      return broker.ensure(topic, groups, signal);
    },
    inspect: (signal) => broker.inspect(signal),
    ping: (signal) => broker.ping(signal),
    close: (signal) => broker.close(signal),
  };
  const engine = new Engine(new Map([["broker", { pubsub, group: "app1" }]]), new PlayedApp([], 1_000), context.clock, OPTIONS, UNHEARD);
  await engine.look();
  const of = (topic: string, metadata = {}) => ({ pubsub: "broker", topic, metadata });
  engine.start([{ ...of("declared"), order: "key" }], [of("declared"), of("asked", { order: "key" }), of("plain")]);
  await new Promise(setImmediate);
  expect(made.sort()).toEqual(["asked key", "declared key", "plain none"]);
  await engine.drain(AbortSignal.timeout(1_000));
  await broker.close(AbortSignal.timeout(1_000));
});
