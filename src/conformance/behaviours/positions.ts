import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const positions: Behaviour = {
  name: "a position is the one that the publish reported, unique, and the same on redelivery",
  rule: "D13",
  needs: ({ position }) => position,
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    const published = await bench.publish(pubsub, "a", "b", "c");
    const first = await reading.sink.next(3);
    assert.deepEqual(first.map(({ position }) => position).sort(), [...published].sort());
    assert.equal(new Set(published).size, 3);
    for (const delivery of first) delivery.release();
    const again = await reading.sink.next(3);
    const byText = (list: typeof first) => Object.fromEntries(list.map((one) => [Buffer.from(one.data).toString(), one.position]));
    assert.deepEqual(byText(again), byText(first));
  },
};
