import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { PUBLISHING } from "./policy.ts";
import { Sidecar } from "./sidecar.ts";

const TICK_MS = 20;

export const outage: Behaviour = {
  name: "a publish waits for a broker that is away, and the subscription goes on by itself when it is back",
  rule: "D9",
  needs: (_, { outage }) => outage !== undefined,
  async run(bench) {
    const sidecar = await Sidecar.start(bench, { publish: { ...PUBLISHING, timeoutMs: 3_600_000 } });
    await sidecar.publish("before");
    (await sidecar.app.one()).answer("success");
    const comesBack = await bench.harness.outage?.();
    const published = sidecar.publish("meanwhile");
    // What waits for another try waits in the engine's time, which must pass beside the broker's.
    const ticking = setInterval(() => sidecar.clock.advance(TICK_MS), TICK_MS);
    bench.onEnd(() => Promise.resolve(clearInterval(ticking)));
    await comesBack?.();
    await published;
    // The broker may not have heard in time that the first one was done.
    let after = await sidecar.app.one();
    for (; after.text === "before"; after = await sidecar.app.one()) after.answer("success");
    after.answer("success");
    assert.equal(after.text, "meanwhile");
  },
};
