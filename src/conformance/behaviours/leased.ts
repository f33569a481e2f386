import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const leased: Behaviour = {
  name: "what is lent stays with its reader, for as long as it takes",
  rule: "D5",
  async run(bench) {
    const pubsub = await bench.open();
    const slow = await bench.read(pubsub);
    await bench.publish(pubsub, "slow");
    const delivery = await slow.sink.one();
    slow.subscription.window(0, 0);
    const other = await bench.read(await bench.open());
    // Time itself is what this is about: two leases pass.
    await new Promise((resolve) => setTimeout(resolve, 2 * bench.harness.leaseMs));
    await bench.publish(pubsub, "last");
    assert.deepEqual(await bench.until(other, "last"), []);
    assert.equal(delivery.ack(), true);
    await bench.flush(slow);
  },
};
