import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

export const failureRecorded: Behaviour = {
  name: "a failure of the app is on record when another sidecar goes on",
  rule: "D3",
  needs: ({ attempts }) => attempts === "exact",
  async run(bench) {
    const sidecar = await Sidecar.start(bench);
    await sidecar.publish("again");
    (await sidecar.app.one()).answer("failed");
    await sidecar.stop();
    const next = await bench.read(await bench.open());
    assert.equal((await next.sink.one()).failures, 1);
  },
};
