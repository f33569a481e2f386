import assert from "node:assert/strict";
import type { Behaviour } from "../harness.ts";
import { Sidecar } from "./sidecar.ts";

const MOST_DEATHS = 3;

export const poison: Behaviour = {
  name: "a message on which the app dies is dead-lettered once it did so alone often enough, and the others arrive",
  rule: "D4",
  async run(bench) {
    const topic = `${bench.topic}-dead`;
    const sidecar = await Sidecar.start(bench, {}, { deadLetterTopic: topic, maxFailures: "1" });
    const { app } = sidecar;
    for (const text of ["poison", "innocent"]) await sidecar.publish(text);
    const both = await app.next(2);
    app.go();
    for (const call of both) call.answer("lost");
    app.comeBack();
    const arrived: string[] = [];
    for (let deaths = 0; deaths < MOST_DEATHS || arrived.length === 0; ) {
      const call = await app.one();
      if (call.text === "innocent") {
        call.answer("success");
        arrived.push(call.text);
      } else {
        app.go();
        call.answer("lost");
        app.comeBack();
        deaths += 1;
      }
    }
    const dead = await bench.read(await bench.open(), { topic });
    assert.match(Buffer.from((await dead.sink.one()).data).toString(), /poison/);
    assert.equal(sidecar.status.counts.retried, 1);
  },
};
