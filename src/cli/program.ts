import { Command, CommanderError } from "commander";
import { bench } from "./bench.ts";
import { CliError, EXIT } from "./exit-codes.ts";
import { publish } from "./publish.ts";
import { start, startArgs } from "./start.ts";
import { subscribe } from "./subscribe.ts";
import { validate } from "./validate.ts";
import { version } from "./version.ts";

const program = new Command("layotto")
  .description("Publish and subscribe through any message broker: a sidecar compatible with Layotto.")
  .addHelpText("after", "\nExit codes: 0 done, 1 something failed while running, 2 the command line or the configuration is wrong.");
for (const command of [start, publish, subscribe, validate, bench, version]) program.addCommand(command);
for (const command of [program, ...program.commands]) command.exitOverride().showHelpAfterError("(--help shows what there is)");

/** Runs one command line, `process.argv` without its first two, and resolves to the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    const [command, ...rest] = args;
    await program.parseAsync(command === "start" ? [command, ...startArgs(rest)] : args, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.configuration;
    if (!(error instanceof CliError)) throw error;
    console.error(`layotto: ${error.message}`);
    return error.code;
  }
}
