import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const windowOvershot: Behaviour = {
  name: "a message that is held keeps out none that is larger than the rest of the window",
  rule: "D7",
  async run(bench) {
    const pubsub = await bench.open();
    await bench.ensure(pubsub);
    const [small, large] = [new Uint8Array(1_000), new Uint8Array(100_000)];
    await bench.publish(pubsub, { data: small, key: "held" }, { data: large, key: "next" });
    const reading = await bench.read(pubsub, { bytes: 65_536 });
    const both = [await reading.sink.one(), await reading.sink.one()];
    assert.deepEqual(
      both.map(({ data }) => data.length).sort((a, b) => a - b),
      [1_000, 100_000],
    );
    for (const delivery of both) delivery.ack();
    await bench.flush(reading);
  },
};
