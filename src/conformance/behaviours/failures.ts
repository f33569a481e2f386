import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const failures: Behaviour = {
  name: "failures are counted exactly, and the count outlives its reader",
  rule: "D3",
  needs: ({ attempts }) => attempts === "exact",
  async run(bench) {
    const pubsub = await bench.open();
    const first = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    const delivery = await first.sink.one();
    assert.equal(delivery.failures, 0);
    delivery.keep?.(3);
    delivery.release();
    await bench.flush(first);
    await bench.leave(first);
    const second = await bench.read(await bench.open());
    const again = await second.sink.one();
    assert.equal(again.failures, 3);
    again.ack();
    await bench.flush(second);
  },
};
