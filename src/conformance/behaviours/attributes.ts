import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

const attributes = {
  mykey: "v",
  "": "no name",
  empty: "",
  "naïve-ключ": "雪 🙂 \u0000 \r\n",
  'q"\\': '"',
  __proto: "x",
  data: "y",
  "a.b": "c=d",
};

export const attributesArrive: Behaviour = {
  name: "attributes arrive, whatever their names and values",
  rule: "D12",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, { data: "with", attributes, key: "k" }, "without");
    const [first, second] = await reading.sink.next(2);
    assert.deepEqual({ ...first?.attributes }, attributes);
    assert.equal(first?.key, "k");
    assert.deepEqual({ ...second?.attributes }, {});
    assert.equal(second?.key, undefined);
  },
};
