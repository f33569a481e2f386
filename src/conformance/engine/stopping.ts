import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { POLICY } from "./policy.ts";
import { Sidecar } from "./sidecar.ts";

export const stopping: Behaviour = {
  name: "a sidecar that stops waits for the call that runs, and gives back what has not begun",
  rule: "D8",
  async run(bench) {
    const sidecar = await Sidecar.start(bench, { delivery: { ...POLICY, maxInFlight: 1 } });
    for (const text of ["first", "second"]) await sidecar.publish(text);
    const running = await sidecar.app.one();
    const stopped = sidecar.stop();
    const next = await bench.read(await bench.open());
    const given = await next.sink.one();
    // Each is in its envelope: the one that is with the app must not be among those given back.
    assert.ok(!Buffer.from(given.data).includes(running.text), `"${running.text}" was given back while it ran`);
    running.answer("success");
    await stopped;
    given.ack();
    await bench.publish(await bench.open(), "last");
    assert.deepEqual(await bench.until(next, "last"), []);
  },
};
