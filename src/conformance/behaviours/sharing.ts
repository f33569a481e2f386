import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const sharing: Behaviour = {
  name: "readers of one group share its messages, and none is lent twice",
  rule: "D5",
  async run(bench) {
    const [a, b] = [await bench.open(), await bench.open()];
    const both = bench.recorder();
    const readings = [await bench.read(a, {}, both), await bench.read(b, {}, both)];
    const sent = Array.from({ length: 100 }, (_, index) => `m${String(index).padStart(3, "0")}`);
    await bench.publish(a, ...sent);
    const lent = await both.next(sent.length);
    assert.deepEqual(textsOf(lent), sent);
    for (const delivery of lent) assert.ok(delivery.ack());
    await Promise.all(readings.map((one) => bench.flush(one)));
    await bench.publish(a, "last");
    assert.deepEqual(textsOf(await both.next(1)), ["last"]);
  },
};
