import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const acked: Behaviour = {
  name: "what was acked never comes again, also to a new reader",
  rule: "D2",
  async run(bench) {
    const pubsub = await bench.open();
    const first = await bench.read(pubsub);
    await bench.publish(pubsub, "a", "b");
    for (const delivery of await first.sink.next(2)) assert.equal(delivery.ack(), true);
    await bench.flush(first);
    await bench.leave(first);
    const second = await bench.read(await bench.open());
    await bench.publish(pubsub, "last");
    assert.deepEqual(await bench.until(second, "last"), []);
  },
};
