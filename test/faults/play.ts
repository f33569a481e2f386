import { Run } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { line, settle } from "./settle.ts";
import type { Stage } from "./stage.ts";

const LOG_CHARACTERS = 1_500;

/** Plays a scenario and checks what must hold after it. Resolves to its line; rejects with what was expected and found. */
export async function play(scenario: Scenario, stage: Stage): Promise<string> {
  const startedAt = performance.now();
  const run = await Run.make(scenario, stage);
  const told = () => line(run, scenario, (performance.now() - startedAt) / 1_000);
  try {
    await run.begin(scenario);
    await scenario.play(run);
    await settle(run, scenario);
    return told();
  } catch (error) {
    const complaints = run.app.complaints && `\nthe app wrote: ${run.app.complaints}`;
    const logs = run.sidecars.map(({ log }, replica) => `\nreplica ${replica} wrote: ${log.slice(-LOG_CHARACTERS)}`);
    const failure = `${told()}\n${error instanceof Error ? error.message : String(error)}${await run.health()}${complaints}${logs.join("")}`;
    await stage.mend();
    throw new Error(failure, { cause: error });
  } finally {
    await run.close();
  }
}
