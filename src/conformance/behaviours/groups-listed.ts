import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";

export const groupsListed: Behaviour = {
  name: "topics and groups are listed, and a deleted group is gone",
  rule: "D10",
  async run(bench) {
    const pubsub = await bench.open();
    const admin = pubsub.admin;
    if (!admin?.groups || !admin.topics || !admin.deleteGroup) throw new Error("the component has no such admin methods");
    const reading = await bench.read(pubsub);
    await bench.publish(pubsub, "a");
    await reading.sink.one();
    assert.ok((await admin.topics(`${bench.topic.slice(0, -4)}*`)).includes(bench.topic));
    assert.deepEqual(await admin.groups(bench.topic), [{ group: "group1", consumers: 1, pending: 1 }]);
    await bench.leave(reading);
    await admin.deleteGroup(bench.topic, "group1");
    assert.deepEqual(await admin.groups(bench.topic), []);
    await assert.rejects(admin.deleteGroup(bench.topic, "group1"), { code: "not_found" });
  },
};
