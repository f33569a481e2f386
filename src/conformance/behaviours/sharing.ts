import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const sharing: Behaviour = {
  name: "readers of one group share its messages, and none is lent twice",
  rule: "D5",
  async run(bench) {
    const [a, b] = [await bench.open(), await bench.open()];
    const readings = [await bench.read(a), await bench.read(b)];
    const sent = Array.from({ length: 100 }, (_, index) => `m${String(index).padStart(3, "0")}`);
    await bench.publish(a, ...sent);
    const all = () => readings.flatMap(({ sink }) => sink.seen);
    const late = AbortSignal.timeout(15_000);
    while (all().length < sent.length && !late.aborted) await new Promise(setImmediate);
    assert.deepEqual(textsOf(all()), sent);
    for (const delivery of all()) assert.ok(delivery.ack());
    await Promise.all(readings.map((one) => bench.flush(one)));
  },
};
