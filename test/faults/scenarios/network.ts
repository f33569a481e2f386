import type { Toxic } from "../../brokers/toxiproxy.ts";
import type { Run } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { untilRight } from "../until.ts";

const both = (type: Toxic["type"], attributes: Toxic["attributes"]): readonly Toxic[] => [
  { type, stream: "upstream", attributes },
  { type, stream: "downstream", attributes },
];

/** Load before, during and after a bad network. `during` resolves when it has done its harm. */
function badNetwork(name: string, title: string, toxics: readonly Toxic[], during: (run: Run) => Promise<void>): Scenario {
  return {
    name,
    title,
    needs: ["server"],
    async play(run) {
      run.load.start();
      await run.acknowledgedMore(200);
      for (const toxic of toxics) await run.link.add(toxic);
      await during(run);
      await run.link.heal();
      await run.acknowledgedMore(200);
    },
  };
}

/** Nothing gets through: every publisher is told so, and connections end once. */
const refused = async (run: Run): Promise<void> => {
  run.cut();
  await run.refusedMore(16);
};

/** Enough for some of them to end where it hurts. */
const ENDINGS = 6;

/** Connections end again and again; each may have been in the middle of something. */
async function endingAgainAndAgain(run: Run): Promise<void> {
  const before = await run.server.accepted();
  let more = 0;
  await untilRight(async () => {
    more = (await run.server.accepted()) - before;
    return more >= ENDINGS ? undefined : `expected ${ENDINGS} connections made anew, found ${more}`;
  }, 30_000);
  run.cut(more);
}

export const network: readonly Scenario[] = [
  badNetwork("latency", "every packet is 50 to 90 ms late", both("latency", { latency: 70, jitter: 20 }), (run) =>
    run.acknowledgedMore(200),
  ),
  {
    name: "cut",
    title: "all connections are closed and new ones refused, for a while",
    needs: ["server"],
    async play(run) {
      run.load.start();
      for (let round = 0; round < 2; round++) {
        await run.acknowledgedMore(200);
        await run.link.cut();
        await refused(run);
        await run.link.heal();
      }
      await run.acknowledgedMore(200);
    },
  },
  badNetwork("half-open", "nothing passes and nothing is closed", both("timeout", { timeout: 0 }), refused),
  badNetwork("reset-peer", "all connections are reset, new ones at their first bytes", both("reset_peer", { timeout: 0 }), refused),
  badNetwork(
    "slow-close",
    "the server ends and returns, while its old connections seem open a second longer",
    both("slow_close", { delay: 1_000 }),
    async (run) => {
      await run.server.restart();
      run.cut();
      await run.acknowledgedMore(200);
    },
  ),
  badNetwork(
    "replies-swallowed",
    "requests reach the server, its replies are swallowed",
    [{ type: "timeout", stream: "downstream", attributes: { timeout: 0 } }],
    refused,
  ),
  badNetwork(
    "requests-swallowed",
    "requests are swallowed",
    [{ type: "timeout", stream: "upstream", attributes: { timeout: 0 } }],
    refused,
  ),
  badNetwork(
    "cut-in-reply",
    "every connection ends in the middle of a reply",
    [{ type: "limit_data", stream: "downstream", attributes: { bytes: 64_000 } }],
    endingAgainAndAgain,
  ),
  {
    name: "cut-in-read",
    title: "no connection lives long enough for a window's worth of messages: they are read in shorter and shorter pieces",
    needs: ["server"],
    app: "absent",
    async play(run) {
      for (let message = 0; message < 300; message++) await run.load.publishOne();
      await run.link.add({ type: "limit_data", stream: "downstream", attributes: { bytes: 20_000 } });
      await run.app.start();
      const before = await run.server.accepted();
      await run.arrived();
      await run.link.heal();
      run.cut((await run.server.accepted()) - before);
    },
  },
  badNetwork(
    "cut-in-request",
    "every connection ends in the middle of a request",
    [{ type: "limit_data", stream: "upstream", attributes: { bytes: 12_000 } }],
    endingAgainAndAgain,
  ),
];
