import assert from "node:assert/strict";
import { textsOf } from "../bench.ts";
import type { Behaviour } from "../harness.ts";

export const givenUp: Behaviour = {
  name: "a publish that is given up under way ends, and what it says of the message is true",
  rule: "D9",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    const caller = new AbortController();
    const ending = bench.tryToPublish(pubsub, ["a"], caller.signal);
    caller.abort();
    const [result] = await ending;
    // A client may end its connection to give up, so another one tells.
    await bench.publish(await bench.open(), "last");
    const there = textsOf(await bench.until(reading, "last"));
    if (!result?.error) assert.deepEqual(there, ["a"]);
    else if (result.error.outcome === "rejected") assert.deepEqual(there, []);
  },
};
