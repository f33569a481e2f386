import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const windowBytes: Behaviour = {
  name: "no more bytes are lent than the window allows, but for one message",
  rule: "D7",
  async run(bench) {
    const pubsub = await bench.open();
    await bench.ensure(pubsub);
    const data = new Uint8Array(100_000);
    await bench.publish(pubsub, { data }, { data }, { data }, { data });
    const reading = await bench.read(pubsub, { bytes: 150_000 });
    for (let taken = 0; taken < 4; taken++) {
      const delivery = await reading.sink.one();
      assert.ok(reading.sink.seen.length - taken <= 2, "more than the window and one message are lent");
      delivery.ack();
      await bench.flush(reading);
    }
  },
};
