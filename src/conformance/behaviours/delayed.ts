import assert from "node:assert/strict";
import { textOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

/** Brokers' timers may go by the second, and deliver what is due now by the end of one. */
const DELAY_MS = 2_000;
/** Later than anybody waits for here. */
const FAR_MS = 60_000;

export const delayed: Behaviour = {
  name: "a message with a time is not lent before it",
  rule: "D3",
  needs: ({ delay }) => delay,
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    const notBefore = Date.now() + DELAY_MS;
    await bench.publish(pubsub, { data: "far", notBefore: Date.now() + FAR_MS }, { data: "later", notBefore }, "now");
    const came: string[] = [];
    for (let count = 0; count < 2; count++) {
      came.push(textOf(await reading.sink.one()));
      assert.ok(came.at(-1) !== "later" || Date.now() >= notBefore, "it came before its time");
    }
    assert.deepEqual(came.sort(), ["later", "now"]);
  },
};
