import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

export const dropped: Behaviour = {
  name: "what the app drops is done with, for the next sidecar too",
  rule: "D2",
  async run(bench) {
    const sidecar = await Sidecar.start(bench);
    await sidecar.publish("unwanted");
    (await sidecar.app.one()).answer("drop");
    await sidecar.stop();
    const pubsub = await bench.open();
    const next = await bench.read(pubsub);
    await bench.publish(pubsub, "last");
    assert.deepEqual(await bench.until(next, "last"), []);
  },
};
