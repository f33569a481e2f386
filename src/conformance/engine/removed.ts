import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

const REMOVAL_MS = 30_000;

export const removed: Behaviour = {
  name: "what the app no longer wants is not read after a while, and nothing is missed when it wants it again",
  rule: "D10",
  async run(bench) {
    const sidecar = await Sidecar.start(bench);
    const { app, clock } = sidecar;
    const before = app.wanted;
    app.wanted = [];
    app.go();
    app.comeBack();
    for (let waited = 0; sidecar.subscriptions.length > 0; waited += 1_000) {
      assert.ok(waited <= 2 * REMOVAL_MS, "it is still read");
      await turn();
      clock.advance(1_000);
    }
    assert.deepEqual(sidecar.orphans, [bench.topic]);
    await sidecar.publish("meanwhile");
    app.wanted = before;
    app.go();
    app.comeBack();
    const call = await app.one();
    assert.equal(call.text, "meanwhile");
    call.answer("success");
    assert.deepEqual(sidecar.orphans, []);
  },
};
