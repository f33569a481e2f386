import assert from "node:assert/strict";
import { DEAD_LETTER } from "../../engine/dead-letter.ts";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

export const deadLetter: Behaviour = {
  name: "what failed too often stands in its dead-letter topic, the same bytes with the reasons, and never comes again",
  rule: "D15",
  async run(bench) {
    const topic = `${bench.topic}-dead`;
    const sidecar = await Sidecar.start(bench, {}, { deadLetterTopic: topic, maxFailures: "2" });
    const { app, clock } = sidecar;
    await sidecar.publish("poison", { mykey: "v" });
    (await app.one()).answer("failed");
    clock.advance(1_200);
    (await app.one()).answer("retry");
    const dead = await bench.read(await bench.open(), { topic });
    const letter = await dead.sink.one();
    assert.match(Buffer.from(letter.data).toString(), /"data":"poison"/);
    const { mykey, [DEAD_LETTER.failures]: failures, [DEAD_LETTER.topic]: origin } = letter.attributes;
    assert.deepEqual([mykey, failures, origin], ["v", "2", bench.topic]);
    await sidecar.publish("last");
    const last = await app.one();
    assert.equal(last.text, "last");
    last.answer("success");
    await sidecar.stop();
    const next = await bench.read(await bench.open());
    await bench.publish(await bench.open(), "end");
    assert.deepEqual(await bench.until(next, "end"), []);
  },
};
