import type { Scenario } from "../scenario.ts";

export const order: readonly Scenario[] = [
  {
    name: "order-errors",
    title: "a key's messages stay in order though every tenth fails once",
    needs: ["ordered"],
    ordered: true,
    subscription: { order: "key" },
    app: { kind: "errors", every: 10 },
    async play(run) {
      run.load.start();
      await run.acknowledgedMore(300);
    },
  },
  {
    name: "order-killed",
    title: "a key's messages stay in order while the sidecar is killed and restarted, three times",
    needs: ["ordered", "durable"],
    ordered: true,
    subscription: { order: "key" },
    // Slower than the publishers, so that every key has a queue.
    app: { kind: "succeeds", afterMs: 20 },
    async play(run) {
      run.load.start();
      for (let round = 0; round < 3; round++) {
        await run.acknowledgedMore(200);
        await run.deliveredMore(50);
        await run.kill();
        await run.startAll();
      }
    },
  },
  {
    name: "order-replicas",
    title: "a key's messages stay in order while each of three replicas is killed and comes back",
    needs: ["ordered", "durable", "replicas"],
    replicas: 3,
    ordered: true,
    subscription: { order: "key" },
    app: { kind: "succeeds", afterMs: 20 },
    async play(run) {
      run.load.start();
      for (const replica of [0, 1, 2]) {
        await run.acknowledgedMore(200);
        await run.deliveredMore(50);
        await run.kill(replica);
        await run.deliveredMore(50);
        await run.startAll();
      }
    },
  },
];
