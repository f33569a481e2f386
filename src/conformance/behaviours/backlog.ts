import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const backlog: Behaviour = {
  name: "the backlog counts what is not acked, and tells its age",
  rule: "D2",
  needs: ({ backlog: has }) => has,
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub, { messages: 2 });
    const now = () => reading.subscription.backlog?.(AbortSignal.timeout(5_000));
    assert.equal((await now())?.messages, 0);
    await bench.publish(pubsub, "a", "b", "c");
    const [first] = await reading.sink.next(2);
    const full = await now();
    assert.equal(full?.messages, 3);
    assert.ok(full.oldestMs !== undefined && full.oldestMs >= 0 && full.oldestMs < 60_000);
    first?.ack();
    await bench.flush(reading);
    assert.equal((await now())?.messages, 2);
  },
};
