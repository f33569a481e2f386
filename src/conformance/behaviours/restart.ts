import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const restart: Behaviour = {
  name: "messages and groups outlive a crash of the broker",
  rule: "D1",
  needs: ({ durable }) => durable,
  async run(bench) {
    const pubsub = await bench.open();
    const first = await bench.read(pubsub);
    await bench.publish(pubsub, "done");
    (await first.sink.one()).ack();
    await bench.flush(first);
    await bench.leave(first);
    await bench.publish(pubsub, "a", "b");
    await bench.restart(2);
    const second = await bench.read(await bench.open());
    assert.deepEqual(textsOf(await second.sink.next(2)), ["a", "b"]);
  },
};
