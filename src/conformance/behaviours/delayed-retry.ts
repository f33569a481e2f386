import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

/** As the engine spreads them: no whole number. */
const DELAY_MS = 300.7;
/** Longer than anything is waited for: whatever comes meanwhile was not held up, however slow the machine is. */
const FAR_MS = 60_000;

export const delayedRetry: Behaviour = {
  name: "a delayed retry comes after its delay, with its failures, and holds up no other message",
  rule: "D3",
  needs: ({ delayedRetry: has }) => has !== "none",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "far");
    assert.equal((await reading.sink.one()).retry?.(FAR_MS, 1), true);
    await bench.publish(pubsub, "soon");
    const first = await reading.sink.one();
    assert.equal(Buffer.from(first.data).toString(), "soon");
    const before = performance.now();
    assert.equal(first.retry?.(DELAY_MS, 2), true);
    const again = await reading.sink.one();
    assert.ok(performance.now() - before >= DELAY_MS - 1, "it came before its time");
    assert.equal(again.position, first.position);
    if (pubsub.capabilities.attempts === "exact") assert.equal(again.failures, 2);
  },
};
