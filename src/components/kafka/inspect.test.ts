import { expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Cluster } from "./cluster.ts";
import { kafkaOptions } from "./config.ts";
import { inspect } from "./inspect.ts";

/** A cluster of three of which only some can be reached. */
function clusterOf(reachable: readonly number[], asked: string[] = []): Cluster {
  const connection = (broker: number) => ({
    call: (_: unknown, { name }: { readonly name: string }) => {
      asked.push(`${broker} of ${name}`);
      return Promise.resolve({ error: 0, values: new Map([["message.max.bytes", "1000"]]) });
    },
  });
  return {
    refresh: () => Promise.resolve(),
    brokers: [1, 2, 3],
    connection: (broker: number) =>
      reachable.includes(broker)
        ? Promise.resolve(connection(broker))
        : Promise.reject(new PubSubError("unavailable", `broker ${broker} is away`)),
    ground: { options: kafkaOptions.parse({ brokers: "h" }), clock: new SteppedClock() },
  } as unknown as Cluster;
}

test("any broker that can be reached tells its settings, whichever the cluster names first", async () => {
  for (const broker of [1, 2, 3]) {
    const asked: string[] = [];
    const { settings } = await inspect(clusterOf([broker], asked), 0);
    expect([settings.messageMaxBytes, asked]).toEqual([1_000, [`${broker} of ${broker}`]]);
  }
  await expect(inspect(clusterOf([]), 0)).rejects.toMatchObject({ code: "unavailable" });
});
