import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

export const retry: Behaviour = {
  name: "what the app wants again comes after about a second, and the others go on meanwhile",
  rule: "D3",
  async run(bench) {
    const sidecar = await Sidecar.start(bench);
    const { app, clock } = sidecar;
    await sidecar.publish("again");
    (await app.one()).answer("retry");
    await sidecar.publish("other");
    const other = await app.one();
    assert.equal(other.text, "other");
    other.answer("success");
    clock.advance(790);
    assert.equal(app.calls.length, 2, "it came before its time");
    clock.advance(420);
    const again = await app.one();
    assert.equal(again.text, "again");
    again.answer("success");
  },
};
