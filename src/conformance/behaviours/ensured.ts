import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const ensured: Behaviour = {
  name: "a group that was ensured misses nothing, and ensuring it again changes nothing",
  rule: "D16",
  async run(bench) {
    const pubsub = await bench.open();
    const request = bench.request({ start: "latest" });
    await pubsub.ensure(bench.topic, [request], AbortSignal.timeout(5_000));
    await bench.publish(pubsub, "a");
    await pubsub.ensure(bench.topic, [request], AbortSignal.timeout(5_000));
    await bench.publish(pubsub, "b");
    const reading = await bench.read(pubsub, { start: "latest" });
    assert.deepEqual(textsOf(await reading.sink.next(2)), ["a", "b"]);
  },
};
