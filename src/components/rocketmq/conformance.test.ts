import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RocketmqServer, startRocketmq } from "../../../test/brokers/rocketmq.ts";
import { withRocketmq } from "../../../test/brokers/with.ts";
import { conformance, type Gap, type Harness } from "../../conformance/index.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { definition } from "./index.ts";

/** The least that RocketMQ has. */
const LEASE_MS = 10_000;
/** A lease, and the seconds that the broker takes to notice its end. */
const PATIENCE_MS = 45_000;
/** So long the broker is at work on what it has lent, after a lease of its own at the latest. */
const AT_WORK_MS = 18_000;
const STARTS_MS = 400_000;
const CHECK_MS = 300_000;

const gaps: readonly Gap[] = [
  {
    behaviour: "a message that is moved stands at its target, and never comes again",
    why: "RocketMQ has no step that stores one message and acknowledges another",
  },
  {
    behaviour: "topics and groups are listed, and a deleted group is gone",
    why: "the broker does not tell how many messages of a group are lent",
  },
  {
    behaviour: "when the reader of an ordered group dies, the next begins with what was unsettled, in order, before what is new",
    why: "an ordered group has one position a queue: what was acknowledged behind an unsettled message comes again",
  },
];

withRocketmq("rocketmq", () => {
  let server: RocketmqServer;
  beforeAll(async () => {
    server = await startRocketmq();
  }, STARTS_MS);
  afterAll(() => server?.stop());

  /** As another sidecar, and connected. */
  async function open(topicType: string): Promise<PubSub> {
    const context = { name: "test", appId: "app1", process: `host:${randomUUID()}`, dataDir: "", clock: systemClock };
    const places = { endpoints: `127.0.0.1:${server.port}`, nameServer: `127.0.0.1:${server.nameServerPort}` };
    const pubsub = definition.open(definition.options.parse({ ...places, topicType, lease: LEASE_MS }), context);
    await pubsub.ping(AbortSignal.timeout(10_000));
    return pubsub;
  }

  const harness: Harness = {
    name: definition.type,
    capabilities: { ...definition.capabilities, delay: false },
    leaseMs: LEASE_MS,
    patienceMs: PATIENCE_MS,
    gaps,
    open: () => open("normal"),
    restart: async ({ topic, group, messages }) => {
      // A crash before may bring back what was acknowledged, and lose what a reader that had left was given in vain, as its README says.
      await delay(AT_WORK_MS);
      await expect.poll(() => server.unread(topic, group), { timeout: PATIENCE_MS }).toBe(messages);
      await server.positionsWritten();
      await server.restart();
    },
    outage: async () => {
      await server.kill();
      return () => server.restart();
    },
    crash: (pubsub) => pubsub.close(AbortSignal.abort()).catch(() => undefined),
  };
  const checks = conformance(harness);
  const breaksAll = (name: string): boolean => /crash of the broker|a broker that is away/.test(name);
  // Most of them wait for a lease, and may as well wait together.
  describe.concurrent("with topics of the type normal", () => {
    for (const { name, run } of checks) if (!breaksAll(name)) test(name, run, CHECK_MS);
  });
  describe.concurrent("with topics of the type delay", () => {
    const delayed = conformance({ ...harness, capabilities: definition.capabilities, open: () => open("delay") });
    for (const { name, run } of delayed) if (/^D3: a message with a time|one result/.test(name)) test(name, run, CHECK_MS);
  });
  for (const { name, run } of checks) if (breaksAll(name)) test(name, run, CHECK_MS);
});
