import assert from "node:assert/strict";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Behaviour } from "../harness.ts";

const COUNT = 50;

export const oneResult: Behaviour = {
  name: "every message of a batch has one result of its own",
  rule: "D1",
  async run(bench) {
    const pubsub = await bench.open();
    await bench.ensure(pubsub);
    const results = new Array<number>(COUNT).fill(0);
    const all = Promise.withResolvers<void>();
    let open = COUNT;
    const batch = results.map((_, index): Outgoing => {
      const done = (error?: Error) => {
        results[index] = (results[index] ?? 0) + 1;
        if (error) all.reject(error);
        open -= 1;
        if (open === 0) all.resolve();
      };
      return { topic: bench.topic, data: Buffer.from(`m${index}`), attributes: {}, done };
    });
    pubsub.publish(batch, AbortSignal.timeout(10_000));
    await all.promise;
    // A second result of the first batch would be there before the only one of this.
    await bench.publish(pubsub, "last");
    assert.deepEqual(
      results,
      results.map(() => 1),
    );
  },
};
