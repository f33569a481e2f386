// node test/faults/main.ts --help
import { Command, Option } from "commander";
import { BROKERS } from "./brokers/index.ts";
import { play } from "./play.ts";
import { gap, type Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import { Stage } from "./stage.ts";

interface Chosen {
  readonly scenario: string;
  readonly broker: string;
}

export const command = new Command("faults")
  .description("Breaks a real broker, its network, the sidecars or the app under load, and counts every message. One line a scenario.")
  .option("--scenario <name>", "which one; quick: those of npm test; all", "quick")
  .addOption(new Option("--broker <name>", "on which broker").choices(BROKERS.map(({ name }) => name)).default("redis"))
  .addHelpText("after", () => `\nScenarios (* by hand only, not in npm test):\n${SCENARIOS.map(described).join("\n")}`)
  .action(async ({ scenario, broker }: Chosen) => {
    const chosen = SCENARIOS.filter(({ name, byHand }) => scenario === name || scenario === "all" || (scenario === "quick" && !byHand));
    if (chosen.length === 0) command.error(`there is no scenario ${scenario}; --help names them`);
    const slow = scenario === "quick" ? BROKERS.find(({ name }) => name === broker)?.byHand : undefined;
    process.exitCode = await playAll(slow ? chosen.filter(({ name }) => !slow.has(name)) : chosen, broker);
  });

const described = ({ name, title, byHand }: Scenario): string => `  ${byHand ? "*" : " "} ${name.padEnd(24)} ${title}`;

/** The exit code: how many failed, at most 1. */
async function playAll(scenarios: readonly Scenario[], name: string): Promise<number> {
  const broker = BROKERS.find((one) => one.name === name);
  if (!broker) throw new Error(`there is no broker ${name}`);
  const unavailable = broker.unavailable();
  if (unavailable !== undefined) {
    console.error(unavailable);
    return 1;
  }
  const stage = await Stage.open(broker);
  let failed = 0;
  try {
    for (const scenario of scenarios) {
      const why = gap(scenario, broker);
      if (why !== undefined) {
        console.log(`${scenario.name.padEnd(24)} ${name.padEnd(10)} not here: ${why}`);
        continue;
      }
      try {
        console.log(await play(scenario, stage));
      } catch (error) {
        failed += 1;
        console.error(`FAILED ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  } finally {
    await stage.close();
  }
  return failed > 0 ? 1 : 0;
}

if (import.meta.main) await command.parseAsync();
