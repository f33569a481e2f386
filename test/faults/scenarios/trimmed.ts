import type { Run } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { untilRight } from "../until.ts";

const LATE = "late";
const ALONE = 20;
const TRIMMED_MS = 10_000;

export const trimmed: Scenario = {
  name: "trimmed",
  title: "what is settled is trimmed, with one group, a lagging one, a new one and none, while the sidecar is killed: never more than that",
  needs: ["durable", "server", "trims"],
  async play(run) {
    const { trims } = run.server;
    if (!trims) throw new Error("the broker does not trim");
    const nobodys = `${run.topic}-nobodys`;
    for (let message = 0; message < ALONE; message++) {
      await run.sidecar().publisher.publishEvent("broker", nobodys, Uint8Array.of(message));
    }

    run.load.start();
    await run.acknowledgedMore(300);
    await run.load.stop();
    await run.arrived();
    await untilKept(run, 0);

    // From here on it lags: nobody reads it.
    await trims.join(run.topic, LATE);
    const before = await trims.added(run.topic);
    run.load.start();
    for (let round = 0; round < 3; round++) {
      await run.acknowledgedMore(150);
      await run.kill();
      await run.startAll();
    }
    await run.acknowledgedMore(150);
    await run.load.stop();
    await run.arrived();
    const [added, unread] = [(await trims.added(run.topic)) - before, await trims.unread(run.topic, LATE)];
    if (unread !== added) throw new Error(`expected all ${added} messages kept for the group that lags, found ${unread}`);
    const kept = await trims.kept(nobodys);
    if (kept !== ALONE) throw new Error(`expected all ${ALONE} messages kept that no group has read, found ${kept}`);

    await trims.leave(run.topic, LATE);
    await run.load.publishOne();
    await untilKept(run, 0);
  },
};

/** So few are left, in time. */
async function untilKept(run: Run, most: number): Promise<void> {
  await untilRight(async () => {
    const kept = (await run.server.trims?.kept(run.topic)) ?? Number.NaN;
    return kept <= most ? undefined : `expected at most ${most} messages kept, found ${kept}`;
  }, TRIMMED_MS);
}
