import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

export const keyOrder: Behaviour = {
  name: "with order: key, the app gets a key's next message only when the one before it is settled, through its retries; other keys go on",
  rule: "D6",
  needs: ({ ordering }) => ordering !== "none",
  async run(bench) {
    const sidecar = await Sidecar.start(bench, {}, { order: "key" });
    const { app, clock } = sidecar;
    for (const text of ["a1", "a2"]) await sidecar.publish(text, { partitionKey: "a" });
    (await app.one()).answer("retry");
    await sidecar.publish("b1", { partitionKey: "b" });
    const other = await app.one();
    assert.equal(other.text, "b1");
    other.answer("success");
    clock.advance(1_200);
    const again = await app.one();
    assert.equal(again.text, "a1");
    again.answer("success");
    const next = await app.one();
    assert.equal(next.text, "a2");
    next.answer("success");
  },
};
