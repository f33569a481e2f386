import { Command, Option } from "commander";
import type { LoadedConfig } from "../config/load.ts";
import { loadConfig } from "../config/load.ts";
import type { Overrides } from "../config/overrides.ts";
import { CatalogueError } from "../errors/catalogue.ts";
import { ConfigError } from "../errors/config-error.ts";
import { PubSubError } from "../pubsub/error.ts";
import { type Runtime, startRuntime } from "../runtime/runtime.ts";
import { createLog, LOG_FORMATS, type LogFormat, type Logger } from "../telemetry/log.ts";
import { banner } from "./banner.ts";
import { CliError, EXIT } from "./exit-codes.ts";
import { giveBackWhenIdle } from "./give-back.ts";
import { spelledOut, WITHOUT_EFFECT } from "./layotto-flags.ts";
import { compiledAt, packageVersion } from "./version.ts";

interface Flags extends Overrides {
  readonly config?: string;
  readonly embedded?: boolean;
  readonly logFormat: LogFormat | typeof TEXT;
}

/** As Layotto calls what is pretty. */
const TEXT = "text";

/** `layotto start`: runs the sidecar until a signal ends it. */
export const start = new Command("start")
  .description("run the sidecar")
  .option(
    "-c, --config <file>",
    "the configuration: JSON, YAML, or a directory of Dapr's YAML resources (default: RUNTIME_CONFIG, configs/config.json, layotto.yaml)",
  )
  .option("--embedded", "run on the embedded broker, without a configuration")
  .option("--app-id <id>", "the app's id, which names its group (LAYOTTO_APP_ID)")
  .option("--grpc-port <port>", "where the API listens; 0 is any free port (LAYOTTO_GRPC_PORT)")
  .option("--http-port <port>", "where health listens (LAYOTTO_HTTP_PORT)")
  .option("--metrics-port <port>", "where Prometheus scrapes (LAYOTTO_METRICS_PORT)")
  .option("--app-port <port>", "where the app is called back (LAYOTTO_APP_PORT)")
  .option("--data-dir <directory>", "where durable files are kept (LAYOTTO_DATA_DIR; default: .layotto)")
  .option("-l, --log-level <level>", "trace, debug, info, warn, error, fatal or silent (LOG_LEVEL)")
  .addOption(new Option("--logging-level <level>", "Layotto's other name for it (LOGGING_LEVEL)").hideHelp())
  .addOption(
    new Option("--log-format <format>", "pretty, json, or auto: pretty on a terminal")
      .choices([...LOG_FORMATS, TEXT])
      .default("auto")
      .env("LAYOTTO_LOG_FORMAT"),
  )
  .addHelpText(
    "after",
    `
Examples:
  layotto start -c configs/config_redis.json
  layotto start -c components/ --app-id app1
  layotto start --embedded --grpc-port 0`,
  )
  .action(async (flags: Flags) => {
    // From the beginning on: Kubernetes tells a process once, and one that is number 1 ignores what it does not listen to.
    const asked = askedToStop();
    const { config: file, embedded = false, ...overrides } = flags;
    const { env } = process;
    const isTerminal = process.stdout.isTTY === true;
    const loaded = await configured({ ...(file === undefined ? {} : { file }), env, cwd: process.cwd(), embedded, isTerminal, overrides });
    const log = await createLog(loaded.logLevel, flags.logFormat === TEXT ? "pretty" : flags.logFormat);
    for (const notice of loaded.notices) log.warn(notice);
    const runtime = await started(loaded, log);
    banner(loaded, runtime, log);
    giveBackWhenIdle();
    // Listeners keep the process alive; a runtime on Unix sockets alone does as well.
    const signal = await asked;
    log.info({ signal }, "stopping: running work ends, nothing new is taken; a second signal exits now");
    await runtime.stop();
    log.info("stopped");
  });
for (const flag of WITHOUT_EFFECT) start.addOption(new Option(flag).hideHelp());
const known = new Set(start.options.flatMap(({ long }) => long ?? []));

/** The arguments of `start`, also where they are written as for Layotto's own command. */
export const startArgs = (args: readonly string[]): readonly string[] => args.map((arg) => spelledOut(arg, known));

async function configured(options: Parameters<typeof loadConfig>[0]): Promise<LoadedConfig> {
  try {
    return await loadConfig(options);
  } catch (error) {
    if (error instanceof ConfigError)
      throw new CliError(`the configuration is wrong; nothing was started\n\n${error.format()}`, EXIT.configuration);
    throw error;
  }
}

async function started({ settings }: LoadedConfig, log: Logger): Promise<Runtime> {
  try {
    return await startRuntime({ ...settings, version: packageVersion(), compiled: compiledAt() }, log);
  } catch (error) {
    if (error instanceof CatalogueError) throw new CliError(`not started: ${error.message}\n${error.remedy}`);
    if (error instanceof PubSubError || (error instanceof Error && "code" in error)) throw new CliError(`not started: ${error.message}`);
    throw error;
  }
}

/** A terminal signals npm and us, and npm passes its own on: within this time that is one. */
const SAME_SIGNAL_MS = 250;

/** The first signal that asks for it. A second one exits now. */
function askedToStop(): Promise<NodeJS.Signals> {
  const asked = Promise.withResolvers<NodeJS.Signals>();
  let first: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    first ??= performance.now();
    asked.resolve(signal);
    if (performance.now() - first > SAME_SIGNAL_MS) process.exit(EXIT.runtime);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  return asked.promise;
}
