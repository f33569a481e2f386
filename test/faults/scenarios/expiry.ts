import type { Scenario } from "../scenario.ts";
import { untilRight } from "../until.ts";

const EVERY = 10;
const MESSAGES = 200;
const TTL = "2";
const EXPIRES_MS = 30_000;

const fails = (number: number): boolean => number % EVERY === 0;

export const expiry: Scenario = {
  name: "expiry",
  title: "messages that fail each time expire while they wait for another try: they are gone, counted, and hold up nobody",
  needs: [],
  app: { kind: "refuses", every: EVERY },
  // The next try would be long after their time.
  delivery: { retry: { first: "10s" } },
  async play(run) {
    const numbers: number[] = [];
    for (let message = 0; message < MESSAGES; message++) numbers.push(await run.load.publishOne(undefined, { ttlInSeconds: TTL }));
    const failing = numbers.filter(fails);
    await run.arrived(fails);
    await untilRight(async () => {
      const expired = await run.counted("expired");
      return expired === failing.length ? undefined : `expected ${failing.length} messages to expire, found ${expired}`;
    }, EXPIRES_MS);
    const { deliveries } = run.ledger;
    const untried = failing.filter((number) => !deliveries.some((delivery) => delivery.number === number));
    if (untried.length > 0) throw new Error(`expected each to be tried before it expires, found ${untried.join(", ")} untried`);
    run.ledger.forgive(failing);
    await run.app.kill();
    await run.app.start({ kind: "succeeds" });
  },
};
