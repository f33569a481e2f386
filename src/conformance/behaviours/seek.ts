import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const seek: Behaviour = {
  name: "a group that is moved back reads again from there",
  rule: "D2",
  needs: ({ replay }) => replay,
  async run(bench) {
    const pubsub = await bench.open();
    // A second group that reads nothing keeps the messages.
    await pubsub.ensure(bench.topic, [bench.request({ group: "keeper" })], AbortSignal.timeout(5_000));
    const reading = await bench.read(pubsub);
    const positions = await bench.publish(pubsub, "a", "b", "c");
    for (const delivery of await reading.sink.next(3)) delivery.ack();
    await bench.flush(reading);
    await bench.leave(reading);
    await pubsub.admin?.seek?.(bench.topic, "group1", { position: positions[1] ?? "" });
    const again = await bench.read(pubsub);
    assert.deepEqual(textsOf(await again.sink.next(2)), ["b", "c"]);
  },
};
