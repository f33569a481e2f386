import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const crashed: Behaviour = {
  name: "what a dead reader did not settle comes again, to another",
  rule: "D2",
  async run(bench) {
    const dying = await bench.open();
    const first = await bench.read(dying);
    await bench.publish(dying, "done", "open1", "open2");
    for (const delivery of await first.sink.next(3)) if (Buffer.from(delivery.data).toString() === "done") delivery.ack();
    await bench.flush(first);
    await bench.crash(dying);
    const second = await bench.read(await bench.open());
    assert.deepEqual(textsOf(await second.sink.next(2)), ["open1", "open2"]);
  },
};
