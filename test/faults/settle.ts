import type { Sidecar } from "../e2e/sidecar.ts";
import { FOLLOW_UP } from "./app-conduct.ts";
import { check, duplicates, listed } from "./check.ts";
import { PUBLISHERS } from "./load.ts";
import { type Run, WINDOW } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { untilRight } from "./until.ts";

const ARRIVES_MS = 40_000;
const SETTLES_MS = 20_000;
const GAUGES = ["layotto_pending_messages", "layotto_in_flight_messages", "layotto_publish_buffer_bytes"];

/**
 * What must hold after every scenario: all that was acknowledged arrived, is settled at the broker, and is forgotten by the sidecars; one
 * more restart delivers nothing. A sidecar that acknowledges too early fails here, and so does one that never does.
 */
export async function settle(run: Run, scenario: Scenario): Promise<void> {
  await run.load.stop();
  await untilRight(() => {
    const { missing, acknowledged } = run.ledger;
    return missing.length === 0 ? undefined : `expected 0 of ${acknowledged.size} acknowledged messages lost, found ${listed(missing)}`;
  }, scenario.arrivesWithinMs ?? ARRIVES_MS);
  await run.nothingLent();
  if (!run.store.exclusive) await untilRight(() => run.owed(), SETTLES_MS);
  for (const sidecar of run.sidecars) if (sidecar.working) await untilRight(() => held(sidecar), SETTLES_MS);
  await restartDeliversNothing(run);
  const limits = {
    duplicates: run.excused,
    window: WINDOW + PUBLISHERS,
    ordered: scenario.ordered === true,
    deadLetters: typeof scenario.deadLetters === "function" ? scenario.deadLetters(run.ledger) : (scenario.deadLetters ?? []),
  };
  const problems = check(run.ledger, limits);
  if (problems.length > 0) throw new Error(problems.join("; "));
}

/** What a sidecar still holds, as Prometheus would see it. */
async function held(sidecar: Sidecar): Promise<string | undefined> {
  const metrics = [...(await sidecar.metrics())];
  for (const gauge of GAUGES) {
    const values = metrics.filter(([name]) => name === gauge || name.startsWith(`${gauge}{`));
    if (values.length === 0) return `expected a gauge ${gauge}, found none`;
    const full = values.find(([, value]) => value !== 0);
    if (full) return `expected ${full[0]} to be 0, found ${full[1]}`;
  }
  return undefined;
}

async function restartDeliversNothing(run: Run): Promise<void> {
  for (const [replica, sidecar] of run.sidecars.entries()) if (sidecar.working) await run.stop(replica);
  const owed = await run.owed();
  if (owed !== undefined) throw new Error(`after the last stop: ${owed}`);
  const { deliveries } = run.ledger;
  const before = deliveries.length;
  await run.startAll();
  await run.untilRunning();
  // Whatever was still owed is older than this one, and comes before it.
  const last = await run.load.publishOne();
  await untilRight(() => (run.ledger.missing.length === 0 ? undefined : `expected ${last} to arrive after the restart`), ARRIVES_MS);
  const others = deliveries.slice(before).filter(({ number }) => number !== last && number !== last + FOLLOW_UP);
  if (others.length > 0) throw new Error(`expected a restart to deliver nothing, found ${listed(others.map(({ number }) => number))}`);
}

/** One line: the scenario, the broker, and what was counted. */
export function line(run: Run, scenario: Scenario, seconds: number): string {
  const { acknowledged, deliveries } = run.ledger;
  const counts = [
    `${acknowledged.size} published`,
    `${deliveries.length} delivered`,
    `${duplicates(run.ledger).length} duplicates`,
    `${seconds.toFixed(1)} s`,
    ...run.remarks,
  ];
  return `${scenario.name.padEnd(24)} ${run.stage.broker.name.padEnd(10)} ${counts.join(", ")}`;
}
