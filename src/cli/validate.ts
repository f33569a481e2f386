import { Command } from "commander";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../errors/config-error.ts";
import { CliError, EXIT } from "./exit-codes.ts";

/** `layotto validate`: reads a configuration as `start` would, and opens nothing. */
export const validate = new Command("validate")
  .description("check a configuration and say what it means, without starting anything")
  .argument("<file>", "JSON or YAML, in our own form or Layotto's; or a file or directory of Dapr's resources")
  .option("--app-id <id>", "the app's id, as start is given it (LAYOTTO_APP_ID)")
  .addHelpText("after", "\nExample:\n  layotto validate configs/config_redis.json")
  .action(async (file: string, overrides: { readonly appId?: string }) => {
    try {
      const { settings, notices } = await loadConfig({
        file,
        env: process.env,
        cwd: process.cwd(),
        embedded: false,
        isTerminal: false,
        overrides,
      });
      console.log(`${file} is right.`);
      console.log(`  app        ${settings.appId} at ${settings.appAddress ?? "no address"}`);
      console.log(
        `  listens    gRPC ${settings.grpcAddresses.join(", ")}; HTTP ${settings.httpAddress}; metrics ${settings.metricsAddress}`,
      );
      for (const [name, { type, group }] of settings.pubsubs) console.log(`  pubsub     ${name}: ${type}, group ${group}`);
      for (const { pubsub, topic } of settings.subscriptions) console.log(`  subscribes ${topic} of ${pubsub}`);
      for (const notice of notices) console.log(`  note       ${notice}`);
    } catch (error) {
      if (error instanceof ConfigError) throw new CliError(`the configuration is wrong\n\n${error.format()}`, EXIT.configuration);
      throw error;
    }
  });
