import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

export const expired: Behaviour = {
  name: "what expired while the app was away never reaches it",
  rule: "D14",
  async run(bench) {
    const sidecar = await Sidecar.start(bench);
    const { app, clock } = sidecar;
    app.go();
    await sidecar.publish("stale", { ttlInSeconds: "1" });
    await sidecar.publish("fresh", { ttlInSeconds: "3600" });
    clock.advance(1_500);
    app.comeBack();
    (await app.one()).answer("success");
    await sidecar.publish("last");
    (await app.one()).answer("success");
    assert.deepEqual(
      app.calls.map(({ text }) => text),
      ["fresh", "last"],
    );
  },
};
