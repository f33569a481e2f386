import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

const payloads = [
  Uint8Array.from({ length: 256 }, (_, byte) => byte),
  new Uint8Array(0),
  new Uint8Array([0xff, 0xfe, 0x00, 0xc3, 0x28]),
  Buffer.from('{"big":12345678901234567890,"price":1.10}'),
  new Uint8Array(4_000_000).map((_, index) => (index * 31) & 0xff),
];

export const bytes: Behaviour = {
  name: "bytes arrive as they were sent: every value, none, four million",
  rule: "D11",
  async run(bench) {
    const pubsub = await bench.open();
    const reading = await bench.read(pubsub);
    for (const data of payloads) {
      await bench.publish(pubsub, { data });
      const delivery = await reading.sink.one();
      assert.ok(Buffer.compare(delivery.data, data) === 0, `${data.length} bytes changed on their way`);
      delivery.ack();
    }
  },
};
