import { systemClock } from "../../pubsub/clock.ts";
import type { Delivery } from "../../pubsub/delivery.ts";
import { definition } from "./index.ts";

/** A process that publishes and acknowledges until it is killed, and prints what stands: `p POSITION` published, `s POSITION` being acked, `a POSITION` acked. */
const [dataDir = ""] = process.argv.slice(2);
const context = { name: "test", appId: "app1", process: "host:1", dataDir, clock: systemClock };
const pubsub = definition.open(definition.options.parse({}), context);
const signal = new AbortController().signal;
const unacked: Delivery[] = [];
const subscription = await pubsub.subscribe(
  { topic: "t", group: "g", start: "earliest", order: "none", options: {} },
  {
    deliver: (batch) => void unacked.push(...batch),
    revoking: () => Promise.resolve(),
    lost: () => undefined,
    interrupted: () => undefined,
  },
);
subscription.window(10_000, 1e9);
for (let round = 0; ; round++) {
  const published = Array.from({ length: 20 }, () => Promise.withResolvers<string>());
  const batch = published.map(({ resolve, reject }) => ({
    topic: "t",
    data: Buffer.from(`round ${round}`),
    attributes: {},
    done: (error?: Error, position = "") => (error ? reject(error) : resolve(position)),
  }));
  pubsub.publish(batch, signal);
  for (const { promise } of published) process.stdout.write(`p ${await promise}\n`);
  // Every other one is left unsettled.
  const acked = unacked.splice(0).filter(({ position }, index) => index % 2 === 0 && position !== undefined);
  for (const { position } of acked) process.stdout.write(`s ${position}\n`);
  for (const delivery of acked) delivery.ack();
  await subscription.flush(signal);
  for (const { position } of acked) process.stdout.write(`a ${position}\n`);
}
