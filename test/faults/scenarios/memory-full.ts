import { Status } from "layotto-transport";
import type { Scenario } from "../scenario.ts";

export const memoryFull: Scenario = {
  name: "memory-full",
  title: "the handler publishes while the memory for publishing is full: it is told so, fails, and is called again",
  needs: [],
  app: { kind: "publishes" },
  bytes: 16_000,
  // What is under way at once, of publishers and handlers, is several times as much.
  publish: { buffer: "64KiB" },
  delivery: { buffer: "256KiB", retry: { first: "100ms", most: "1s" } },
  async play(run) {
    run.load.start();
    await run.acknowledgedMore(600);
    await run.load.stop();
    await run.arrived();
    const refused = run.load.refused.get(String(Status.RESOURCE_EXHAUSTED)) ?? 0;
    if (refused === 0) throw new Error("expected publishes to be refused because the memory is full, found none");
    run.remarks.push(`${refused} publishes and ${await run.counted("retried")} handlers found no room`);
  },
};
