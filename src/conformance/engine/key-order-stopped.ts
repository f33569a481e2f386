import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

export const keyOrderStopped: Behaviour = {
  name: "with order: key, the sidecar that follows one that stopped in a retry goes on with that message, then those after it",
  rule: "D6",
  needs: ({ ordering }) => ordering !== "none",
  async run(bench) {
    const sidecar = await Sidecar.start(bench, {}, { order: "key" });
    const sent = ["1", "2", "3", "4"];
    for (const text of sent) await sidecar.publish(text, { partitionKey: "k" });
    (await sidecar.app.one()).answer("failed");
    await sidecar.stop();
    const next = await Sidecar.start(bench, {}, { order: "key" });
    for (const text of sent) {
      const call = await next.app.one();
      assert.equal(call.text, text);
      call.answer("success");
    }
  },
};
