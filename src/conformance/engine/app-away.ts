import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

const HOLD_MS = 10_000;

export const appAway: Behaviour = {
  name: "an app that is away costs no failure, others may have its messages, and it gets what is left when it is back",
  rule: "D4",
  async run(bench) {
    const sidecar = await Sidecar.start(bench);
    const { app, clock } = sidecar;
    for (const text of ["a", "b"]) await sidecar.publish(text);
    const calls = await app.next(2);
    app.go();
    for (const call of calls) call.answer("unreachable");
    clock.advance(HOLD_MS);
    const other = await bench.read(await bench.open());
    for (const delivery of await other.sink.next(2)) {
      if (bench.harness.capabilities.attempts === "exact") assert.equal(delivery.failures, 0);
      delivery.release();
    }
    await bench.leave(other);
    app.comeBack();
    const again = await app.next(2);
    assert.deepEqual(again.map(({ text }) => text).sort(), ["a", "b"]);
    for (const call of again) call.answer("success");
    assert.equal(sidecar.status.counts.retried, 0);
  },
};
