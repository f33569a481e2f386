import { RpcError, Status } from "layotto-transport";
import { PUBSUB } from "../names.ts";
import type { Run } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { untilRight } from "../until.ts";

const SAID_MS = 20_000;

/** Publishes fail, with the code and these words once the store has found out why. None is acknowledged meanwhile. */
async function refusedWith(run: Run, code: number, ...words: readonly string[]): Promise<void> {
  let acknowledged: number | undefined;
  await untilRight(async () => {
    try {
      acknowledged = await run.load.publishOne();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (error.code !== code || !words.every((word) => error.message.includes(word)))
        return `expected publishes to be refused with ${code} and the words ${words.join(", ")}, found ${error.code}: ${error.message}`;
    }
    return undefined;
  }, SAID_MS);
  if (acknowledged !== undefined)
    throw new Error(`expected publishes to be refused with ${code}, found that ${acknowledged} was acknowledged`);
}

/** Every subscription is interrupted or waits for its next try, and says why. */
function interruptedBy(run: Run, words: string): Promise<void> {
  return untilRight(async () => {
    for (const [topic, { state, reason }] of await run.sidecar().subscriptions(PUBSUB)) {
      if (state === "running" || !reason.includes(words)) return `expected health to say "${words}" of ${topic}, found ${state}: ${reason}`;
    }
    return undefined;
  }, SAID_MS);
}

export const disk: readonly Scenario[] = [
  {
    name: "disk-full",
    title: "the disk is full, and the sidecar is killed meanwhile: publishes are refused, reading and acknowledging go on",
    needs: ["durable", "full-disk"],
    // All is read and acknowledged on the full disk.
    app: "absent",
    publish: { timeout: "500ms" },
    async play(run) {
      run.load.start();
      await run.acknowledgedMore(300);
      run.disk.fill();
      await run.refusedMore(16);
      await refusedWith(run, Status.RESOURCE_EXHAUSTED, "full", "make room");
      await run.app.start();
      await run.arrived();
      await run.kill();
      // Where nothing can be published, a window of what is settled may not stand yet, beside what was lent.
      run.cut();
      await run.startAll();
      await refusedWith(run, Status.RESOURCE_EXHAUSTED, "full", "make room");
      run.disk.free();
      await run.acknowledgedMore(200);
    },
  },
  {
    name: "read-only",
    title: "the broker's files cannot be written any more, in the middle of work and at the next start: health says why",
    needs: ["durable", "read-only"],
    publish: { timeout: "500ms" },
    async play(run) {
      run.load.start();
      await run.acknowledgedMore(200);
      run.disk.seal();
      run.cut();
      await run.refusedMore(16);
      await interruptedBy(run, "can be written");
      run.disk.unseal();
      await run.acknowledgedMore(200);
      await run.load.stop();
      await run.stop();
      run.disk.seal();
      await run.startAll();
      await interruptedBy(run, "can be written");
      await refusedWith(run, Status.UNAVAILABLE, "can be written");
      run.disk.unseal();
      await run.untilRunning();
      run.load.start();
      await run.acknowledgedMore(100);
    },
  },
];
