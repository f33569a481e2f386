import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const groups: Behaviour = {
  name: "each group gets every message, whatever the others settled",
  rule: "D2",
  async run(bench) {
    const pubsub = await bench.open();
    await pubsub.ensure(bench.topic, [bench.request({ group: "one" }), bench.request({ group: "two" })], AbortSignal.timeout(5_000));
    await bench.publish(pubsub, "a", "b");
    const one = await bench.read(pubsub, { group: "one" });
    for (const delivery of await one.sink.next(2)) delivery.ack();
    await bench.flush(one);
    const two = await bench.read(pubsub, { group: "two" });
    assert.deepEqual(textsOf(await two.sink.next(2)), ["a", "b"]);
  },
};
