import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

/** No CloudEvent, each in its own way. */
const FOREIGN = ["not json", '{"hello":1}', ""];

export const raw: Behaviour = {
  name: "bytes that are no event reach the app as they are",
  rule: "D13",
  async run(bench) {
    const { app } = await Sidecar.start(bench);
    const pubsub = await bench.open();
    const positions = await bench.publish(pubsub, ...FOREIGN);
    const calls = await app.next(FOREIGN.length);
    for (const call of calls) call.answer("success");
    assert.deepEqual(calls.map(({ text }) => text).sort(), [...FOREIGN].sort());
    assert.ok(calls.every(({ event }) => event.raw));
    if (pubsub.capabilities.position) assert.deepEqual(calls.map(({ event }) => event.id).sort(), [...positions].sort());
  },
};
