import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const browse: Behaviour = {
  name: "browsing reads without consuming, page by page, and removing takes away",
  rule: "D2",
  needs: ({ browse: has }) => has,
  async run(bench) {
    const pubsub = await bench.open();
    const admin = pubsub.admin;
    const positions = await bench.publish(pubsub, { data: "a", attributes: { mykey: "v" } }, "b", "c");
    const page = await admin?.browse?.(bench.topic, undefined, 2);
    assert.deepEqual(
      page?.map((one) => [Buffer.from(one.data).toString(), one.position]),
      [
        ["a", positions[0]],
        ["b", positions[1]],
      ],
    );
    assert.deepEqual({ ...page?.[0]?.attributes }, { mykey: "v" });
    const rest = await admin?.browse?.(bench.topic, positions[1], 10);
    assert.deepEqual(
      rest?.map((one) => one.position),
      [positions[2]],
    );
    await admin?.remove?.(bench.topic, [positions[1] ?? ""]);
    const reading = await bench.read(pubsub);
    assert.deepEqual(
      (await reading.sink.next(2)).map((one) => one.position),
      [positions[0], positions[2]],
    );
  },
};
