import { onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../pubsub/clock.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { definition } from "./index.ts";
import type { PlayedServer } from "./played-server.fixture.ts";

/** Opens what is played; it is closed with the test. */
export async function opened<Played extends { open(): Promise<Played>; close(): Promise<void> }>(played: Played): Promise<Played> {
  await played.open();
  onTestFinished(() => played.close());
  return played;
}

/** A component that is connected to a proxy that is played; closed with the test. */
export async function component(proxy: PlayedServer, options: object = {}, clock: Clock = systemClock): Promise<PubSub> {
  const context = { name: "test", appId: "app1", process: "host:1-a", dataDir: "", clock };
  const pubsub = definition.open(definition.options.parse({ endpoints: proxy.place, ...options }), context);
  onTestFinished(() => pubsub.close(AbortSignal.timeout(5_000)));
  await pubsub.ping(AbortSignal.timeout(10_000));
  return pubsub;
}
