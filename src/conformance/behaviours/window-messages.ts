import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const windowMessages: Behaviour = {
  name: "no more messages are lent than the window allows",
  rule: "D7",
  async run(bench) {
    const pubsub = await bench.open();
    await bench.ensure(pubsub);
    await bench.publish(pubsub, ...Array.from({ length: 20 }, (_, index) => String(index)));
    const reading = await bench.read(pubsub, { messages: 3 });
    const unsettled: Awaited<ReturnType<typeof reading.sink.next>>[number][] = [];
    for (let taken = 0; taken < 20; taken++) {
      unsettled.push(await reading.sink.one());
      assert.ok(reading.sink.seen.length - taken <= 3, "more than three are lent");
      unsettled.shift()?.ack();
    }
  },
};
