import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const moved: Behaviour = {
  name: "a message that is moved stands at its target, and never comes again",
  rule: "D15",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    const delivery = await reading.sink.one();
    if (!delivery.move) throw new Error("the component cannot move a message");
    const stored = new Promise((resolve, reject) => {
      const done = (error?: Error) => (error ? reject(error) : resolve(undefined));
      assert.equal(delivery.move?.({ topic: `${bench.topic}-dead`, data: delivery.data, attributes: { why: "test" }, done }), true);
    });
    await stored;
    assert.equal(delivery.ack(), false);
    const dead = await bench.read(pubsub, { topic: `${bench.topic}-dead` });
    const copy = await dead.sink.one();
    assert.deepEqual([textOf(copy), copy.attributes.why], ["a", "test"]);
    await bench.publish(pubsub, "last");
    assert.deepEqual(await bench.until(reading, "last"), []);
  },
};
